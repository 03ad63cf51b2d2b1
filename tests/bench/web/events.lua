-- wrk: page views of 1,000 visitors on 200 pages, each as a beacon sends it.
local count = 0
local visitors = {}
for i = 1, 1000 do
  visitors[i] = {
    ["Content-Type"] = "text/plain;charset=UTF-8",
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0 v" .. i,
  }
end

function request()
  count = count + 1
  local page = (count * 7919) % 200
  local body = '{"name":"pageview","url":"http://localhost/page/' .. page .. '","referrer":"https://example.org/","domain":"localhost"}'
  return wrk.format("POST", "/api/event", visitors[(count * 104729) % 1000 + 1], body)
end

function done(summary, latency, requests)
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.status + summary.errors.timeout
  io.write(string.format('{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, errors))
end
