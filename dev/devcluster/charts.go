package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// chartsCommand serves charts as a chart repository and as an OCI registry.
func chartsCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("charts", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
	source := flags.String("charts", "", "`folder` with charts, at any depth")
	username := flags.String("username", "", "ask for this user (basic auth)")
	password := flags.String("password", "", "and this password")
	readyFile := flags.String("ready-file", "", "`file` that also gets the line with the addresses")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("cannot read the flags of charts: %w", err)
	}
	if *source == "" {
		return errors.New("no charts given, usage: devcluster charts --charts DIR")
	}
	bin, err := ensureTools(ctx, 4, "helm4")
	if err != nil {
		return err
	}
	repository, oci, err := packCharts(ctx, filepath.Join(bin, "helm"), *source)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", *listen, err)
	}
	if err := announce(listener.Addr().String(), *readyFile); err != nil {
		listener.Close()
		return err
	}
	return serve(ctx, listener, newChartServer(repository, oci, *username, *password))
}

// announce says where to reach the server: on stdout, and in file when given.
func announce(address, file string) error {
	line, err := json.Marshal(map[string]string{"url": "http://" + address, "oci": "oci://" + address + "/charts"})
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if file != "" {
		// Renamed into place, so that nobody who waits for the file reads half a line.
		if err := os.WriteFile(file+".partial", line, 0o644); err != nil {
			return fmt.Errorf("cannot write the ready file: %w", err)
		}
		if err := os.Rename(file+".partial", file); err != nil {
			return fmt.Errorf("cannot write the ready file: %w", err)
		}
	}
	_, err = os.Stdout.Write(line)
	return err
}

func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve charts: %w", err)
	}
	return nil
}

// packCharts packages every chart below source with the real helm: the files of
// the chart repository by name, and a registry that holds the same charts.
func packCharts(ctx context.Context, helm, source string) (map[string][]byte, http.Handler, error) {
	dir, err := os.MkdirTemp("", "devcluster-charts-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	charts, err := findCharts(source)
	if err != nil {
		return nil, nil, err
	}
	packages := filepath.Join(dir, "packages")
	for _, chart := range charts {
		if err := runHelm(ctx, dir, helm, "package", chart, "--destination", packages); err != nil {
			return nil, nil, err
		}
	}
	if err := runHelm(ctx, dir, helm, "repo", "index", packages); err != nil {
		return nil, nil, err
	}
	oci := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if err := pushCharts(ctx, dir, helm, packages, oci); err != nil {
		return nil, nil, err
	}
	files, err := readFiles(packages)
	return files, oci, err
}

// findCharts returns every folder with a Chart.yaml, but not the subcharts
// inside another chart.
func findCharts(source string) ([]string, error) {
	var charts []string
	source, err := filepath.Abs(source) // helm runs in another folder
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if !isFile(filepath.Join(path, "Chart.yaml")) {
			return nil
		}
		charts = append(charts, path)
		return fs.SkipDir
	})
	if err == nil && len(charts) == 0 {
		err = errors.New("no Chart.yaml found")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot find charts in %s: %w", source, err)
	}
	return charts, nil
}

// pushCharts pushes through a listener of its own that lives only meanwhile:
// no password on helm's command line, and GET /requests stays at zero.
func pushCharts(ctx context.Context, dir, helm, packages string, oci http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("cannot push charts: %w", err)
	}
	server := &http.Server{Handler: oci, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // a listener that fails makes the push fail
	defer server.Close()
	archives, err := filepath.Glob(filepath.Join(packages, "*.tgz"))
	if err != nil {
		return err
	}
	target := "oci://" + listener.Addr().String() + "/charts"
	for _, archive := range archives {
		if err := runHelm(ctx, dir, helm, "push", archive, target, "--plain-http"); err != nil {
			return err
		}
	}
	return nil
}

// runHelm runs helm with homes of its own and shows its output only on failure.
func runHelm(ctx context.Context, dir, helm string, args ...string) error {
	cmd := exec.CommandContext(ctx, helm, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
		"HELM_CACHE_HOME=" + dir + "/cache", "HELM_CONFIG_HOME=" + dir + "/config", "HELM_DATA_HOME=" + dir + "/data"}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot run helm %s %s: %w\n%s", args[0], args[1], err, output)
	}
	return nil
}

func readFiles(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		files["/"+entry.Name()] = data
	}
	return files, nil
}
