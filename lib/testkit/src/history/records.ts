/** Records of test set-ups about a database, for the check of its history. */
import type { RecordedAnswer } from './history.types.js';
import type { StoreTimestamp } from './read-writes.js';

type Named = { readonly databaseName: string };

interface DatabaseRecord {
  /** Time of the store before the first write. */
  since?: StoreTimestamp | undefined;
  readonly answers: RecordedAnswer[];
}

const records = new Map<string, DatabaseRecord>();
/** Most answers of one database that are kept. */
const most = 200_000;
let subscribers = 0;

function recordOf({ databaseName }: Named): DatabaseRecord {
  const known = records.get(databaseName) ?? { answers: [] };
  records.set(databaseName, known);
  return known;
}

/** Records that the database is empty at a time of the store. */
export function recordBeginning(db: Named, since: StoreTimestamp | undefined): void {
  recordOf(db).since = since;
}

/** Records an answer that a caller received. */
export function recordAnswer(db: Named, answer: RecordedAnswer): void {
  const { answers } = recordOf(db);
  if (answers.length < most) answers.push(answer);
}

/** Number of a new subscriber. */
export function nextSubscriber(): number {
  return (subscribers += 1);
}

/** All records of a database. */
export function recordsOf(db: Named): Readonly<DatabaseRecord> {
  return recordOf(db);
}
