package web

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestAnAddressForPeopleThatIsTakenIsAWarningAndTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	log, said := newLog()
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	ServeInside(t.Context(), "OPERATOR__STATUSPAGE", address, hello, log)
	if text := said.String(); !strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") || !strings.Contains(text, "setting=OPERATOR__STATUSPAGE") {
		t.Errorf("the log is\n%s", text)
	}
	taken.Close()
	eventually(t, "it is served once the address is free", func() bool { return strings.Contains(said.String(), "listening") })
	if status, body := get(t, http.MethodGet, "http://"+address+"/"); status != http.StatusOK || body != "hello" {
		t.Errorf("got %d %s", status, body)
	}
}
