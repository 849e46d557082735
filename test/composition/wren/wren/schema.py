"""The words and what stands behind them: resolvers, each with its policy, loads in batches."""

import re
from collections import Counter
from pathlib import Path

from aiodataloader import DataLoader
from ariadne import MutationType, ObjectType, QueryType, SubscriptionType
from ariadne.contrib.federation import make_federated_schema
from graphql import GraphQLResolveInfo, GraphQLSchema

from .identity import READERS, WRITERS, Principal
from .notes import Notes


class Context:
    """Context of the resolvers, new for each operation."""

    def __init__(self, principal: Principal, notes: Notes) -> None:
        self.principal = principal
        self.notes = notes
        self.loads: Counter[str] = Counter()
        self.details = DataLoader(batch_load_fn=self._load_details, cache=True)

    async def _load_details(self, job_ids: list[str]) -> list[dict | None]:
        self.loads["details"] += 1
        return await self.notes.find(job_ids)


query = QueryType()
mutation = MutationType()
subscription = SubscriptionType()
job = ObjectType("Job")
own_query = ObjectType("WrenQuery")
noted_job = ObjectType("WrenNotedJob")


@query.field("wren")
def resolve_wren(_parent: object, info: GraphQLResolveInfo) -> dict:
    info.context.principal.must(READERS, "wren:read")
    return {}


@own_query.field("notedJobs")
async def resolve_noted_jobs(_parent: object, info: GraphQLResolveInfo) -> list[dict]:
    return await info.context.notes.newest()


@noted_job.field("job")
def resolve_job_of_note(note: dict, _info: GraphQLResolveInfo) -> dict:
    return {"id": note["_id"]}


@noted_job.field("details")
def resolve_details_of_note(note: dict, _info: GraphQLResolveInfo) -> dict:
    return note


@job.field("wren")
async def resolve_details(parent: dict, info: GraphQLResolveInfo) -> dict | None:
    info.context.principal.must(READERS, "wren:read")
    job_id = parent.get("id")
    return await info.context.details.load(job_id) if isinstance(job_id, str) else None


@mutation.field("noteWrenJob")
async def resolve_note(_parent: object, info: GraphQLResolveInfo, input: dict) -> dict:
    principal = info.context.principal
    principal.must(WRITERS, "wren:note")
    faults = []
    if not re.fullmatch(r"N-\d+", input["nest"]):
        faults.append(fault("nest", input["nest"], "`N-` and a number, as N-17"))
    if not 0 <= input["chicks"] <= 20:
        faults.append(fault("chicks", input["chicks"], "0 to 20"))
    if not 1 <= len(input["jobId"]) <= 100:
        faults.append(fault("jobId", input["jobId"], "the id of a job"))
    if faults:
        return {"job": None, "userErrors": faults}
    await info.context.notes.note(input["jobId"], input["nest"], input["chicks"], principal.subject)
    info.context.details.clear(input["jobId"])
    return {"job": {"id": input["jobId"]}, "userErrors": []}


@subscription.source("wrenJobNoted")
async def follow_notes(_parent: object, info: GraphQLResolveInfo, jobId: str, after: str | None = None):
    info.context.principal.must(READERS, "wren:read")
    async for cursor, is_change in info.context.notes.changes(jobId, after):
        # What was loaded for an earlier event may have changed.
        info.context.details.clear_all()
        yield {"cursor": cursor, "event": {"job": {"id": jobId}} if is_change else None}


@subscription.field("wrenJobNoted")
def resolve_noted(event: dict, _info: GraphQLResolveInfo, **_arguments: object) -> dict:
    return event


def fault(field: str, value: object, expected: str) -> dict:
    """A user error that names the field, the value and what would be right."""
    return {
        "message": f"{field}: {value!r} is not valid; must be {expected}",
        "path": [field],
        "code": "INVALID_VALUE",
    }


def build_schema(words_file: str) -> GraphQLSchema:
    """The executable schema; `_service` answers the words as they are written."""
    own = (Path(__file__).parent / "schema.graphql").read_text(encoding="utf-8")
    sdl = f"{Path(words_file).read_text(encoding='utf-8')}\n{own}"
    schema = make_federated_schema(sdl, query, mutation, subscription, job, own_query, noted_job)
    fields = schema.query_type.fields
    fields["_service"].resolve = lambda *_: {"sdl": sdl}
    fields["_entities"].resolve = resolve_entities
    return schema


def resolve_entities(_parent: object, info: GraphQLResolveInfo, representations: list[dict]) -> list[dict | None]:
    """Jobs are core's: what is known of one is its key. Which details a caller may see is decided by the field."""
    info.context.principal.must(READERS, "wren:read")
    return [
        {"__typename": "Job", "id": one["id"]}
        if one.get("__typename") == "Job" and isinstance(one.get("id"), str)
        else None
        for one in representations
    ]
