/**
 * Counts the use of each schema element by client name and version in memory, and adds it to the store in
 * batches.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { GraphQLSchema } from 'graphql';
import type { OperationInfo } from '@rhizome/federation';
import type { CountedOperation, CountedUse, UsesRepository } from '../store/uses.repository.js';
import type { ClientIdentity } from './client-identity.js';
import { coordinatesOf } from './coordinates.js';

/** Ports and options of {@link UseRecorder}. */
export interface UseRecorderOptions {
  readonly uses: UsesRepository;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds between two batches. */
  readonly everyMs?: number;
}

const defaultEveryMs = 5_000;
/** Distinct operations between two batches; more of them cause a batch to be written early. */
const mostOperations = 2_000;
/** Distinct clients per day; further ones are counted together as `other`. */
const mostClients = 500;
/** Operations that one batch adds to the operation registry, those with the most requests first. */
const operationsABatch = 500;
/**
 * Entries that wait for a store which cannot be reached; beyond that they are discarded and counting starts
 * over.
 */
const mostWaiting = 200_000;

/** Requests of one operation by client. */
interface Counted {
  readonly schema: GraphQLSchema;
  readonly clients: Map<string, number>;
}

interface Batch {
  readonly day: string;
  readonly uses: Map<string, CountedUse>;
  operations: readonly CountedOperation[];
}

/** Records the use of the schema. */
export class UseRecorder {
  readonly #options: UseRecorderOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #coordinates = new WeakMap<OperationInfo, readonly string[]>();
  #counted = new Map<OperationInfo, Counted>();
  #clients = new Set<string>();
  #day = '';
  #waiting: Batch[] = [];
  #flushing: Promise<void> = Promise.resolve();

  constructor(options: UseRecorderOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), options.everyMs ?? defaultEveryMs);
    this.#timer.unref();
  }

  /** Counts one request of an operation. */
  record(operation: OperationInfo, schema: GraphQLSchema, client: ClientIdentity): void {
    let counted = this.#counted.get(operation);
    if (!counted) {
      if (this.#counted.size >= mostOperations) void this.flush();
      this.#counted.set(operation, (counted = { schema, clients: new Map() }));
    }
    const key = this.#keyOf(client);
    counted.clients.set(key, (counted.clients.get(key) ?? 0) + 1);
  }

  #keyOf({ name, version }: ClientIdentity): string {
    const key = `${name}\n${version}`;
    if (this.#clients.has(key)) return key;
    if (this.#clients.size >= mostClients) return 'other\nother';
    this.#clients.add(key);
    return key;
  }

  /** Writes the counts; on failure they wait for the next time. Never rejects. */
  flush(): Promise<void> {
    return (this.#flushing = this.#flushing.then(() => this.#flush()));
  }

  /** Writes the remaining counts and stops. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #flush(): Promise<void> {
    const { clock, uses, log } = this.#options;
    const now = clock.now();
    const day = now.toISOString().slice(0, 10);
    if (day !== this.#day) this.#clients = new Set();
    this.#day = day;
    this.#moveToBatch(day);
    try {
      for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
        await uses.addUses([...next.uses.values()], next.day, now);
        // A repetition after this point would count twice.
        this.#waiting.shift();
        await uses.addOperations(next.operations, now);
      }
    } catch (error) {
      log.warn({ err: error }, 'recording field usage failed; retrying');
    }
  }

  /**
   * Moves the counts into a batch, joined with the waiting one of the same day, so that an outage costs no
   * more memory than a day.
   */
  #moveToBatch(day: string): void {
    const counted = this.#counted;
    if (counted.size === 0) return;
    this.#counted = new Map();
    let batch = this.#waiting.find((one) => one.day === day);
    if (!batch) this.#waiting.push((batch = { day, uses: new Map(), operations: [] }));
    if (batch.uses.size > mostWaiting) batch.uses.clear();
    for (const [operation, { schema, clients }] of counted) {
      for (const coordinate of this.#coordinatesOf(operation, schema))
        addUses(batch.uses, coordinate, clients);
    }
    const operations = [...counted].map(([operation, { clients }]) => countedOperation(operation, clients));
    batch.operations = operations.sort((a, b) => b.requests - a.requests).slice(0, operationsABatch);
  }

  #coordinatesOf(operation: OperationInfo, schema: GraphQLSchema): readonly string[] {
    let coordinates = this.#coordinates.get(operation);
    if (!coordinates)
      this.#coordinates.set(operation, (coordinates = coordinatesOf(operation.document, schema)));
    return coordinates;
  }
}

function addUses(
  uses: Map<string, CountedUse>,
  coordinate: string,
  clients: ReadonlyMap<string, number>,
): void {
  for (const [key, requests] of clients) {
    const [client = '', clientVersion = ''] = key.split('\n');
    const id = `${coordinate}\n${key}`;
    uses.set(id, { coordinate, client, clientVersion, requests: requests + (uses.get(id)?.requests ?? 0) });
  }
}

function countedOperation(
  { normalisedText, name, kind }: OperationInfo,
  clients: ReadonlyMap<string, number>,
): CountedOperation {
  return {
    digest: createHash('sha256').update(normalisedText).digest('hex'),
    name: name ?? null,
    kind,
    text: normalisedText,
    requests: [...clients.values()].reduce((sum, requests) => sum + requests, 0),
    clients: [...clients.keys()].map((key) => key.replace('\n', ' ')).slice(0, 20),
  };
}
