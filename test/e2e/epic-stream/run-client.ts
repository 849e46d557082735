/** A live run of ePIC as a shift sees it: announcements and questions, through a gateway that may restart. */
import { createClient, type ApiClient } from '@rhizome/client';
import { leftovers, waitFor } from '@rhizome/testkit';
import { document } from '../../experiments/test-system.js';
import { type AnyData, mutationText } from '../system/api.js';

const fields = `id phase phaseSince endedAt problem
  frames { announced missing ratePerSecond }
  paths {
    name announcedSlices fedSlices lagSeconds feedLagSeconds
    slices { waiting leased completed dead failedAttempts }
    latency { results p50 p95 minimum parts { step p50 p95 } }
    sites { site { name } completed seconds failedAttempts }
    cost { busyCoreHours heldCoreHours }
    lanes { poolId fleetId feed { isHeld message } workers { target running waiting reason } }
  }`;

/** A run that is announced. */
export class RunClient {
  readonly runNumber: number;
  readonly #client: ApiClient;

  constructor(
    place: { readonly url: string; readonly wsUrl: string; readonly token: string },
    runNumber: number,
  ) {
    this.runNumber = runNumber;
    const reconnect = { initialDelayMs: 50, maxDelayMs: 500 };
    const retry = { attempts: 60, initialDelayMs: 100, maxDelayMs: 1000 };
    this.#client = leftovers.use(createClient({ ...place, reconnect, retry }), 'a client of the shift');
  }

  /** Calls a mutation, which may be repeated. @throws Error if it is refused */
  async change(field: string, input: object, select = ''): Promise<AnyData> {
    const text = mutationText(field, `${select} userErrors { code message }`);
    const variables = { input: { runNumber: this.runNumber, ...input } };
    const answer = (await this.#client.mutate(document(text), variables, { idempotent: true })) as AnyData;
    if (answer[field].userErrors.length > 0) throw new Error(JSON.stringify(answer[field].userErrors));
    return answer[field];
  }

  /** Announces a state of DAQ. */
  async daq(state: string): Promise<void> {
    await this.change('announceEpicRunState', { facet: 'DAQ', state, at: new Date().toISOString() });
  }

  /** The run now. */
  async now(): Promise<AnyData> {
    const text = `query ($v: Int!) { epic { liveRun(runNumber: $v) { ${fields} } } }`;
    const answer = (await this.#client.query(document(text), { v: this.runNumber })) as AnyData;
    return answer.epic.liveRun;
  }

  /** The run once it meets a condition. */
  until(what: string, fits: (run: AnyData) => unknown, deadlineMs = 120_000): Promise<AnyData> {
    const look = async (): Promise<AnyData> => {
      const run = await this.now();
      return fits(run) ? run : undefined;
    };
    return waitFor(what, look, { deadlineMs });
  }

  /** Answers of core. */
  async core(text: string, variables: object): Promise<AnyData> {
    return this.#client.query(document(text), variables);
  }

  /** Follows the results of a pool from now on. @returns the keys of completed units, as they come */
  async results(poolId: string): Promise<readonly string[]> {
    const text = `subscription ($pool: ID!, $after: String) { workUnitCompleted(poolId: $pool, after: $after) {
      cursor event { units { key } } } }`;
    const keys: string[] = [];
    const cursorOf = (data: AnyData): string => data.workUnitCompleted.cursor;
    const stream = this.#client.subscribeResumable(document(text), { pool: poolId }, { cursorOf });
    await stream.next();
    leftovers.defer('a stream of results', () => stream.return?.());
    const reading = (async () => {
      for await (const message of stream) {
        const { event } = (message as AnyData).workUnitCompleted;
        if (event) keys.push(...event.units.map(({ key }: AnyData) => key));
      }
    })();
    reading.catch(() => undefined);
    return keys;
  }
}
