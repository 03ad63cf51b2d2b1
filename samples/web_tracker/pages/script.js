// Counts page views and lungo("Name", {props: {...}}) at the origin this came from; silent under Do Not Track and GPC.
(() => {
  const w = window, n = navigator, l = location, s = document.currentScript, h = history;
  const to = new URL("/api/event", s.src).href, queue = (w.lungo && w.lungo.q) || [];
  const off = n.doNotTrack == 1 || w.doNotTrack == 1 || n.globalPrivacyControl;
  let path, here, from = document.referrer;
  const send = w.lungo = (name, options) => {
    if (off) return;
    const body = JSON.stringify({
      name, url: l.href.slice(0, 2048), referrer: from.slice(0, 2048) || null, domain: s.dataset.domain, props: options && options.props
    });
    n.sendBeacon && n.sendBeacon(to, body) || fetch(to, {method: "POST", body, keepalive: true}).catch(() => {});
  };
  const view = () => {
    if (l.pathname == path) return;
    if (path) from = here;
    path = l.pathname;
    here = l.href;
    send("pageview");
  };
  for (const f of ["pushState", "replaceState"]) {
    const old = h[f];
    h[f] = function () {
      old.apply(this, arguments);
      view();
    };
  }
  addEventListener("popstate", view);
  view();
  queue.forEach((a) => send(...a));
})();
