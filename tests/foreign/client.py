"""Reads a simulated tenancy with Oracle's own SDK for Python, and says what it got.

    benthos-oci sim --listen 127.0.0.1:8085 ...
    python3 client.py CONFIG ENDPOINT START END

The simulator throttles the first two calls of GetTenancy. CONFIG is a file as Oracle's tools have it, ENDPOINT ends with the region's name. Nothing here knows of benthos-oci:
what the SDK cannot sign, page or decode is the simulator's mistake.
"""

import base64
import datetime
import hashlib
import sys
import time

import oci


def say(what, *values):
    print(what + ":", *values)


def digest(ids):
    """A list of ids in few characters, whatever order they came in."""
    ids = sorted(ids)
    return "%d, sha256 %s" % (len(ids), hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16])


def refused(what, call):
    try:
        call()
    except oci.exceptions.ServiceError as e:
        say(what, "refused with", e.status, e.code)
    else:
        say(what, "was NOT refused")


def every(call, *args, **kwargs):
    return oci.pagination.list_call_get_all_results(call, *args, **kwargs)


def text(encoded):
    return base64.b64decode(encoded).decode() if encoded else None


def read(client, stream, cursor, wanted):
    """Reads until so many messages have come: a page may be empty though more follows."""
    got = []
    for _ in range(60):
        page = client.get_messages(stream, cursor, limit=4)
        cursor = page.headers["opc-next-cursor"]
        got += page.data
        if len(got) >= wanted:
            break
        time.sleep(0.25)  # a partition may be read five times a second
    return got, cursor


def streams(config, tenancy, options):
    """Puts messages into a stream and reads them in a group, committed by hand."""
    admin = oci.streaming.StreamAdminClient(config, **options)
    found = every(admin.list_streams, compartment_id=tenancy).data
    for s in sorted(found, key=lambda s: s.name):
        say("stream", s.name, s.lifecycle_state, s.partitions, "partitions")
    stream = admin.get_stream(min(found, key=lambda s: s.name).id).data
    say("its retention", stream.retention_in_hours, "hours")

    client = oci.streaming.StreamClient(config, **options)
    models = oci.streaming.models
    group = dict(group_name="foreign", instance_name="one", commit_on_get=False, timeout_in_ms=30000)
    cursor = client.create_group_cursor(stream.id, models.CreateGroupCursorDetails(type="LATEST", **group)).data.value
    cursor = client.get_messages(stream.id, cursor).headers["opc-next-cursor"]
    put = client.put_messages(stream.id, models.PutMessagesDetails(messages=[
        models.PutMessagesDetailsEntry(
            key=base64.b64encode(b"key %d" % (n % 2)).decode(), value=base64.b64encode(b"message %d" % n).decode())
        for n in range(6)
    ])).data
    say("put", len(put.entries), "messages,", put.failures, "failures")
    got, cursor = read(client, stream.id, cursor, 6)
    say("got", sorted((text(m.key), text(m.value)) for m in got))
    say("heartbeat", client.consumer_heartbeat(stream.id, cursor).status)
    cursor = client.consumer_commit(stream.id, cursor).data.value
    state = client.get_group(stream.id, "foreign").data
    committed = sum(1 for r in state.reservations if r.committed_offset is not None and r.committed_offset >= 0)
    say("group", state.group_name, "reads", len(state.reservations), "partitions,", committed, "of them committed")
    old = client.create_cursor(stream.id, models.CreateCursorDetails(
        partition=got[0].partition, type="AT_OFFSET", offset=got[0].offset)).data.value
    again, _ = read(client, stream.id, old, 1)
    say("the first of them by its offset", text(again[0].value) == text(got[0].value))
    refused("a cursor that is none", lambda: client.get_messages(stream.id, "bm9uZQ=="))


def main():
    profile, endpoint, start, end = sys.argv[1:5]
    config = oci.config.from_file(profile, "DEFAULT")
    oci.config.validate_config(config)
    start, end = (datetime.datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (start, end))
    tenancy = config["tenancy"]
    options = {"service_endpoint": endpoint, "timeout": (10, 60)}

    identity = oci.identity.IdentityClient(config, **options)
    regions = identity.list_region_subscriptions(tenancy).data
    say("regions", ", ".join("%s%s" % (r.region_name, " (home)" if r.is_home_region else "") for r in regions))
    refused("the first call for the tenancy", lambda: identity.get_tenancy(tenancy))
    again = identity.get_tenancy(tenancy, retry_strategy=oci.retry.DEFAULT_RETRY_STRATEGY)
    say("tenancy", again.data.name, "(the SDK waited and tried again)")
    compartments = every(
        identity.list_compartments, tenancy, compartment_id_in_subtree=True, access_level="ACCESSIBLE", limit=2
    ).data
    for c in sorted(compartments, key=lambda c: c.name):
        say("compartment", c.name, c.lifecycle_state)

    audit = oci.audit.AuditClient(config, **options)
    say("audit retention", audit.get_configuration(tenancy).data.retention_period_days, "days")
    for name, ocid in [("(root)", tenancy)] + sorted((c.name, c.id) for c in compartments):
        got = every(audit.list_events, ocid, start, end)
        events = got.data
        say("audit events of", name, digest(e.event_id for e in events))
        for e in events:
            assert e.data.compartment_id == ocid and start <= e.event_time.astimezone(datetime.timezone.utc), e.event_id
    events = every(audit.list_events, tenancy, start, end).data
    first = min(events, key=lambda e: (e.event_time, e.event_id))
    say("the first of the root", first.event_time.isoformat(), first.event_type, first.data.identity.principal_name)
    paged = []
    answer = audit.list_events(tenancy, start, end)
    pages = 1
    while answer.has_next_page:
        paged += answer.data
        answer = audit.list_events(tenancy, start, end, page=answer.next_page)
        pages += 1
    paged += answer.data
    say("paged by hand", pages, "pages,", digest(e.event_id for e in paged))

    guard = oci.cloud_guard.CloudGuardClient(config, **options)
    settings = guard.get_configuration(tenancy).data
    say("Cloud Guard", settings.status, settings.reporting_region)
    problems = []
    for state in ("ACTIVE", "INACTIVE"):
        found = every(
            guard.list_problems, tenancy, compartment_id_in_subtree=True, access_level="ACCESSIBLE",
            lifecycle_state=state, limit=5,
        ).data
        problems += found
        say("problems", state, digest(p.id for p in found))
    for p in sorted(problems, key=lambda p: (p.detector_rule_id, p.id)):
        say("problem", p.detector_rule_id, p.risk_level, p.lifecycle_state, p.lifecycle_detail)
    one = guard.get_problem(min(p.id for p in problems)).data
    say("one problem", one.detector_rule_id, one.resource_type, sorted(one.additional_details or {}))
    histories = every(guard.list_problem_histories, tenancy, one.id).data
    say("its history", ["%s %s" % (h.actor_type, h.lifecycle_detail) for h in sorted(histories, key=lambda h: h.time_created)])
    say("its endpoints", len(every(guard.list_problem_endpoints, one.id).data))

    search = oci.loggingsearch.LogSearchClient(config, **options)
    details = oci.loggingsearch.models.SearchLogsDetails(
        time_start=start, time_end=end, is_return_field_info=False,
        search_query='search "%s/_Audit_Include_Subcompartment" | sort by datetime desc' % tenancy,
    )
    rows, page = [], None
    while True:
        answer = search.search_logs(details, limit=500, **({"page": page} if page else {}))
        rows += answer.data.results
        page = answer.next_page
        if not page:
            break
    say("rows found by Logging search", digest(r.data["logContent"]["id"] for r in rows))

    streams(config, tenancy, options)

    stranger = dict(config, user=config["user"][:-4] + "aaaa")
    refused("a user that is not there", lambda: oci.audit.AuditClient(stranger, **options).get_configuration(tenancy))
    refused("another tenancy's compartment", lambda: audit.list_events(tenancy[:-4] + "aaaa", start, end))
    refused("an end before the start", lambda: audit.list_events(tenancy, end, start))
    refused("a page token of somebody else", lambda: audit.list_events(tenancy, start, end, page="AAAA"))
    refused("a problem that is not there", lambda: guard.get_problem(one.id[:-4] + "aaaa"))
    refused("a search that is none", lambda: search.search_logs(
        oci.loggingsearch.models.SearchLogsDetails(time_start=start, time_end=end, search_query="find everything")))


if __name__ == "__main__":
    main()
