package browsers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a running browser whose driver takes orders.
type browser struct {
	name string
	tab  context.Context // Chromium's driver; nil for Firefox
	end  func()
}

// troupe is the stage and the browsers, started once for all tests.
type troupe struct {
	*stage
	browsers []*browser
}

var start = sync.OnceValues(startTroupe)

// cast starts the browsers unless they run.
func cast(t testing.TB) *troupe {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var opened *troupe // for closeBrowsers, also where only one of two started

func startTroupe() (*troupe, error) {
	s, err := startStage()
	if err != nil {
		return nil, err
	}
	opened = &troupe{stage: s}
	for _, begin := range []func(*stage) (*browser, error){startChromium, startFirefox} {
		b, err := begin(s)
		if err != nil {
			return nil, err
		}
		opened.browsers = append(opened.browsers, b)
	}
	for _, b := range opened.browsers {
		if err := s.awaitDriver(b.name); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// awaitDriver waits for the driver's first request.
func (s *stage) awaitDriver(name string) error {
	for deadline := time.Now().Add(2 * patience); !s.runs(name); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s shows no page", name)
		}
	}
	return nil
}

func closeBrowsers() {
	if opened == nil {
		return
	}
	for _, b := range opened.browsers {
		b.end()
	}
	opened.close()
}

// find looks for a browser, and names the package that has it.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("the tests need %s: apt-get install %s (%w)", program, program, err)
	}
	return path, nil
}

func (s *stage) driver(name string) string { return s.site() + "/driver.html?browser=" + name }

// startChromium lets it find nothing but the loopback. It is told to believe
// any certificate, for the tests over TLS.
func startChromium(s *stage) (*browser, error) {
	path, err := find("chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors,
		chromedp.Flag("no-proxy-server", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1"))
	process, endProcess := chromedp.NewExecAllocator(context.Background(), options...)
	tab, endTab := chromedp.NewContext(process)
	b := &browser{name: "chromium", tab: tab, end: func() { endTab(); endProcess() }}
	if err := chromedp.Do(tab, chromedp.Navigate(s.driver(b.name))); err != nil {
		b.end()
		return nil, fmt.Errorf("chromium: %w", err)
	}
	return b, nil
}

// startFirefox has a directory of its own for everything it keeps.
func startFirefox(s *stage) (*browser, error) {
	path, err := find("firefox-esr")
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "firefox-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, "user.js"), []byte(firefoxPreferences()), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", home, s.driver("firefox"))
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CACHE_HOME="+home, "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	end := func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		removeSoon(home)
	}
	return &browser{name: "firefox", end: end}, nil
}

// removeSoon removes a directory in which a process just killed may be
// writing still.
func removeSoon(dir string) {
	for deadline := time.Now().Add(5 * time.Second); os.RemoveAll(dir) != nil && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
}

// firefoxPreferences keeps Firefox from doing anything of its own accord.
func firefoxPreferences() string {
	var b strings.Builder
	for name, value := range map[string]string{
		"app.normandy.enabled":                                        "false",
		"app.update.auto":                                             "false",
		"app.update.enabled":                                          "false",
		"browser.aboutwelcome.enabled":                                "false",
		"browser.newtabpage.enabled":                                  "false",
		"browser.region.network.url":                                  `""`,
		"browser.safebrowsing.blockedURIs.enabled":                    "false",
		"browser.safebrowsing.downloads.enabled":                      "false",
		"browser.safebrowsing.malware.enabled":                        "false",
		"browser.safebrowsing.phishing.enabled":                       "false",
		"browser.search.update":                                       "false",
		"browser.shell.checkDefaultBrowser":                           "false",
		"browser.startup.homepage_override.mstone":                    `"ignore"`,
		"browser.startup.page":                                        "0",
		"datareporting.healthreport.uploadEnabled":                    "false",
		"datareporting.policy.dataSubmissionEnabled":                  "false",
		"dom.push.connection.enabled":                                 "false",
		"dom.allow_scripts_to_close_windows":                          "true", // see driver.js
		"extensions.getAddons.cache.enabled":                          "false",
		"extensions.systemAddon.update.enabled":                       "false",
		"extensions.update.enabled":                                   "false",
		"geo.enabled":                                                 "false",
		"media.gmp-manager.updateEnabled":                             "false",
		"network.captive-portal-service.enabled":                      "false",
		"network.connectivity-service.enabled":                        "false",
		"network.dns.disablePrefetch":                                 "true",
		"network.prefetch-next":                                       "false",
		"network.proxy.type":                                          "0",
		"network.trr.mode":                                            "5",
		"services.settings.server":                                    `"data:,none"`,
		"toolkit.telemetry.enabled":                                   "false",
		"toolkit.telemetry.server":                                    `""`,
		"toolkit.telemetry.unified":                                   "false",
		"trailhead.firstrun.didSeeAboutWelcome":                       "true",
		"browser.tabs.unloadOnLowMemory":                              "false",
		"browser.sessionstore.resume_from_crash":                      "false",
		"datareporting.policy.dataSubmissionPolicyBypassNotification": "true",
	} {
		fmt.Fprintf(&b, "user_pref(%q, %s);\n", name, value)
	}
	return b.String()
}
