-- One request, over and over, made from the environment; prints one JSON line at the end.
--   BENCH_PATH, BENCH_BODY_FILE, BENCH_HEADERS ("name: value" lines)

local function read_file(path)
	local file = assert(io.open(path, "rb"))
	local text = file:read("*a")
	file:close()
	return text
end

local request_bytes

function init()
	wrk.method = "POST"
	wrk.path = os.getenv("BENCH_PATH")
	wrk.body = read_file(os.getenv("BENCH_BODY_FILE"))
	for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^:\n]+): ([^\n]+)") do
		wrk.headers[name] = value
	end
	request_bytes = wrk.format()
end

function request()
	return request_bytes
end

function done(summary, latency)
	local e = summary.errors
	io.write(string.format(
		'\n{"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,' ..
		'"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
		summary.requests, summary.duration, summary.bytes,
		latency:percentile(50), latency:percentile(99),
		e.connect, e.read, e.write, e.status, e.timeout))
end
