"""What was noted of jobs: Wren's own collection, and its changes as a stream with cursors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from graphql import GraphQLError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError


class Notes:
    """Notes by job."""

    def __init__(self, uri: str, database: str) -> None:
        self._client = AsyncMongoClient(uri, serverSelectionTimeoutMS=5000, appname="wren")
        self._notes = self._client[database]["notes"]

    async def reached(self) -> bool:
        """Whether the store answers."""
        try:
            await self._client.admin.command("ping")
            return True
        except PyMongoError:
            return False

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.close()

    async def note(self, job_id: str, nest: str, chicks: int, by: str) -> None:
        """Notes, in the place of what was noted before."""
        change = {"nest": nest, "chicks": chicks, "notedBy": by, "notedAt": datetime.now(UTC)}
        await self._notes.update_one({"_id": job_id}, {"$set": change}, upsert=True)

    async def find(self, job_ids: list[str]) -> list[dict | None]:
        """What was noted of many jobs, in their order: one read."""
        found = {note["_id"]: note async for note in self._notes.find({"_id": {"$in": job_ids}})}
        return [found.get(job_id) for job_id in job_ids]

    async def newest(self) -> list[dict]:
        """The newest notes, 100 at most."""
        return [note async for note in self._notes.find().sort("notedAt", -1).limit(100)]

    async def changes(self, job_id: str, after: str | None) -> AsyncIterator[tuple[str, bool]]:
        """Cursors of the changes of one job's note: the first marks where the stream begins, and is no change."""
        pipeline = [{"$match": {"documentKey._id": job_id}}]
        resume = {} if after is None else {"resume_after": {"_data": after}}
        try:
            async with await self._notes.watch(pipeline, max_await_time_ms=1000, **resume) as stream:
                token = stream.resume_token
                while token is None:
                    if await stream.try_next() is not None:
                        break
                    token = stream.resume_token
                yield (after or token["_data"], False)
                async for change in stream:
                    yield (change["_id"]["_data"], True)
        except OperationFailure as error:
            expired = error.code in (136, 280, 286)
            code = "CURSOR_EXPIRED" if expired else "CURSOR_INVALID"
            text = f"after: {after!r} is no place that this stream reaches; subscribe without it"
            raise GraphQLError(text, extensions={"code": code}) from error
