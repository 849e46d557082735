/** Records of test set-ups about a database, for the check of its history. */
import type { RecordedAnswer } from './history.types.js';
import type { StoreTimestamp } from './read-writes.js';

/** A database, or the address of a gateway whose store is given by {@link answersCountFor}. */
export type AnswerSource = { readonly databaseName: string } | { readonly url: string };

interface SourceRecord {
  /** Time of the store before the first write. */
  since?: StoreTimestamp | undefined;
  readonly answers: RecordedAnswer[];
}

const records = new Map<string, SourceRecord>();
/** Addresses of gateways, by the name of the database or by the folder of the store that they answer from. */
const addresses = new Map<string, Set<string>>();
/** Most answers of one source that are kept. */
const most = 200_000;
let subscribers = 0;

function recordOf(source: string): SourceRecord {
  const known = records.get(source) ?? { answers: [] };
  records.set(source, known);
  return known;
}

/** Records that the database is empty at a time of the store. */
export function recordBeginning(
  { databaseName }: { readonly databaseName: string },
  since: StoreTimestamp | undefined,
): void {
  recordOf(databaseName).since = since;
}

/** Records an answer that a caller received. */
export function recordAnswer(source: AnswerSource, answer: RecordedAnswer): void {
  const { answers } = recordOf('url' in source ? source.url : source.databaseName);
  if (answers.length < most) answers.push(answer);
}

/**
 * The answers of a gateway are about the jobs of a store.
 * @param store name of core's database, or the folder of a store with one core
 */
export function answersCountFor(store: string, { url }: { readonly url: string }): void {
  addresses.set(store, (addresses.get(store) ?? new Set()).add(url));
}

/** Forgets what gateways answered from a store, whose data are deleted. */
export function forgetAnswers(store: string): void {
  addresses.delete(store);
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
): Readonly<SourceRecord> {
  const { since, answers } = recordOf(databaseName);
  const stores = folder === undefined ? [databaseName] : [databaseName, folder];
  const urls = new Set(stores.flatMap((store) => [...(addresses.get(store) ?? [])]));
  return { since, answers: [...answers, ...[...urls].flatMap((url) => recordOf(url).answers)] };
}

/** Answers that callers received from a database of core, its gateways included. */
export function recordedAnswers(db: { readonly databaseName: string }): readonly RecordedAnswer[] {
  return recordsOf(db).answers;
}
