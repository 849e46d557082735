/** Records of test set-ups about a database, for the check of its history. */
import type { RecordedAnswer } from './history.types.js';
import type { StoreTimestamp } from './read-writes.js';

/** A database, or the address of a gateway whose store is given by {@link answersCountFor}. */
export type AnswerSource = { readonly databaseName: string } | { readonly url: string };

interface StoreRecord {
  /** Time of the store before the first write. */
  since?: StoreTimestamp | undefined;
  readonly answers: RecordedAnswer[];
}

/** By the name of the database, or by the folder of a store with one core. */
const records = new Map<string, StoreRecord>();
/** The database or folder that gateways answer from, by their address. */
const stores = new Map<string, string>();
/** Most answers of one store that are kept. */
const most = 200_000;
let subscribers = 0;

function recordOf(store: string): StoreRecord {
  const known = records.get(store) ?? { answers: [] };
  records.set(store, known);
  return known;
}

/** Records that the database is empty at a time of the store. */
export function recordBeginning(
  { databaseName }: { readonly databaseName: string },
  since: StoreTimestamp | undefined,
): void {
  recordOf(databaseName).since = since;
}

/** Records an answer that a caller received, unless it is of a gateway without a store. */
export function recordAnswer(source: AnswerSource, answer: RecordedAnswer): void {
  const store = 'url' in source ? stores.get(source.url) : source.databaseName;
  if (store === undefined) return;
  const { answers } = recordOf(store);
  if (answers.length < most) answers.push(answer);
}

/**
 * From now on, the answers of a gateway are about the jobs of a store.
 * @param store name of core's database, or the folder of a store with one core
 */
export function answersCountFor(store: string, { url }: { readonly url: string }): void {
  stores.set(url, store);
}

/** Forgets what gateways answered from a store, whose data are deleted. */
export function forgetAnswers(store: string): void {
  records.delete(store);
}

/** Forgets everything: the next test file of the process may give a store of its own the same name. */
export function forgetRecords(): void {
  records.clear();
  stores.clear();
}

/** Number of a new subscriber. */
export function nextSubscriber(): number {
  return (subscribers += 1);
}

/**
 * All records of a database.
 * @param folder folder of its store, if the store is not the shared one
 */
export function recordsOf(
  { databaseName }: { readonly databaseName: string },
  folder?: string,
): Readonly<StoreRecord> {
  const { since, answers } = recordOf(databaseName);
  return { since, answers: [...answers, ...(folder === undefined ? [] : recordOf(folder).answers)] };
}

/** Answers that callers received from a database of core, its gateways included. */
export function recordedAnswers(db: { readonly databaseName: string }): readonly RecordedAnswer[] {
  return recordsOf(db).answers;
}
