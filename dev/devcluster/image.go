package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// imageCommand builds the compiled part of the image's root. It never takes binaries that are installed on this machine.
func imageCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	arch := flags.String("arch", runtime.GOARCH, "`GOARCH` to build for")
	out := flags.String("out", "", "the image's root `folder`")
	operator := flags.String("operator", "", "also build the operator, whose source is this `folder`")
	version := flags.String("version", "dev", "`version` that the operator says it is")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("cannot read the flags of image: %w", err)
	}
	if *out == "" {
		return errors.New("no folder given, usage: devcluster image --arch ARCH --out DIR [--operator DIR --version V] [TOOL...]")
	}
	tools, err := selectTools(flags.Args())
	if err != nil {
		return err
	}
	root := imageRoot{bin: filepath.Join(*out, "usr/local/bin"), licenses: filepath.Join(*out, "usr/share/licenses"), arch: *arch}
	for _, dir := range []string{root.bin, root.licenses} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make the image's root: %w", err)
		}
	}
	for _, t := range tools {
		if err := root.addTool(ctx, t); err != nil {
			return fmt.Errorf("cannot put %s into the image: %w", t.name, err)
		}
	}
	if *operator != "" {
		if err := root.addOperator(ctx, *operator, *version); err != nil {
			return fmt.Errorf("cannot put octo-operator into the image: %w", err)
		}
	}
	return nil
}

type imageRoot struct{ bin, licenses, arch string }

func (r imageRoot) addTool(ctx context.Context, t tool) error {
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	t.arch = r.arch
	if err := t.ensure(ctx, cache); err != nil {
		return err
	}
	built, err := t.path(cache)
	if err != nil {
		return err
	}
	if err := copyFile(built, filepath.Join(r.bin, strings.TrimRight(t.name, "34")), 0o755); err != nil { // helm4 is helm
		return err
	}
	return t.inModule(func(dir string) error { return copyLicenses(ctx, dir, r.arch, t.pkg, r.licenses) })
}

func (r imageRoot) addOperator(ctx context.Context, source, version string) error {
	bin, err := filepath.Abs(r.bin)
	if err != nil {
		return err
	}
	if err := goBuild(ctx, source, filepath.Join(bin, "octo-operator"), r.arch, "-s -w -X main.version="+version, "."); err != nil {
		return err
	}
	return copyLicenses(ctx, source, r.arch, ".", r.licenses)
}

func copyFile(from, to string, mode os.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
