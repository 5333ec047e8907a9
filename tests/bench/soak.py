"""Mixed load until the relay has used so much CPU: does its memory grow?"""
import statistics

WARM_PART = 0.1
GROWTH_MOST = 0.05


def soak(server, scenarios, minutes, drive, tell):
    """One run of each scenario after the other; memory is looked at after each time around."""
    begun_us, wanted_us = server.cpu_us(), minutes * 60e6
    requests, samples = 0, []
    while server.cpu_us() - begun_us < wanted_us:
        for scenario in scenarios:
            requests += drive(server, scenario)["requests"]
        samples.append(((server.cpu_us() - begun_us) / wanted_us, server.rss_kb()))
        tell(f"soak: {samples[-1][0] * 100:.0f} %, {samples[-1][1] / 1024:.1f} MB")
    warm = [rss_kb for part, rss_kb in samples if part >= WARM_PART] or [samples[-1][1]]
    quarter = max(1, len(warm) // 4)
    first, last = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
    return {"cpu_minutes": (server.cpu_us() - begun_us) / 60e6, "requests": requests,
            "samples": len(warm), "first_kb": first, "last_kb": last,
            "least_kb": min(warm), "most_kb": max(warm), "growth": last / first - 1}
