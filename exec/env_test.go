package exec

import "testing"

func TestAllowEnvKeepsOnlyWhatIsNamed(t *testing.T) {
	environ := []string{"PATH=/bin", "OPERATOR__BROKERPASSWORD=hunter2", "https_proxy=http://p", "HTTPS_PROXY=http://P",
		"PATHS=/x", "HELM_DEBUG=1", "KUBECONFIG=", "broken", "=C:=x", "LANG=a=b"}
	equalLines(t, "default", AllowEnv(environ, DefaultEnv...),
		[]string{"PATH=/bin", "https_proxy=http://p", "HTTPS_PROXY=http://P", "KUBECONFIG=", "LANG=a=b"})
	equalLines(t, "one more", AllowEnv(environ, "HELM_DEBUG", "NOT_SET"), []string{"HELM_DEBUG=1"})
	if got := AllowEnv(environ); got == nil || len(got) > 0 {
		t.Errorf("no names: %#v, want empty and not nil", got)
	}
}
