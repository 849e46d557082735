import type { Principal } from '@rhizome/authz';
import { silentLogger } from '@rhizome/log';
import { manualClock, type ManualClock, testPrincipal } from '@rhizome/testkit';
import { createEngine, type Engine } from '@rhizome/federation';
import { defaultLimits, Expiries, type GatewayLimits } from '../policy/index.js';
import { EngineHolder } from '../registry/index.js';
import {
  type ClientStream,
  type StreamEnd,
  type StreamEvent,
  StreamHub,
  type StreamRequest,
} from '../streams/index.js';
import type { TestSystem } from './test-system.js';

/** A stream of a test's items with a field of the second subgraph; after `$after` if that is given. */
export const changes =
  'subscription ($after: String) { itemChanged(after: $after) { cursor item { id label } } }';

/** Request of a test; by default {@link changes} from now on, as an administrator. */
export interface SubscribeOptions extends Partial<Pick<StreamRequest, 'cursor'>> {
  readonly query?: string;
  readonly after?: string;
  readonly principal?: Principal;
}

/** The streams of a gateway without its handlers, over the subgraphs of a test system. */
export class StreamTestSetup {
  readonly clock: ManualClock = manualClock(new Date('2030-01-01T00:00:00Z'));
  readonly holder: EngineHolder;
  readonly hub: StreamHub;
  /** Number of opened upstreams, reasons for reopening, reasons for the end of client streams. */
  readonly counts = { upstreams: 0, reopened: [] as string[], closed: [] as StreamEnd[] };
  readonly #system: TestSystem;
  readonly #open: ClientStream[] = [];

  private constructor(system: TestSystem, engine: Engine, limits: Partial<GatewayLimits>) {
    const { counts } = this;
    this.#system = system;
    const holder = (this.holder = new EngineHolder(engine));
    this.hub = new StreamHub({
      engine: () => holder.current,
      clock: this.clock,
      expiries: new Expiries(this.clock),
      log: silentLogger(),
      limits: { ...defaultLimits, ...limits },
      observer: {
        streamOpened: () => undefined,
        streamClosed: (why) => void counts.closed.push(why),
        upstreamOpened: () => void counts.upstreams++,
        upstreamClosed: () => undefined,
        upstreamReopened: (why) => void counts.reopened.push(why),
        delivered: () => undefined,
      },
    });
  }

  static async open(system: TestSystem, limits: Partial<GatewayLimits> = {}): Promise<StreamTestSetup> {
    return new StreamTestSetup(system, await engineOf(system), limits);
  }

  /** Serves another supergraph, with a further field on Item if one is given. */
  async swap(extraField?: string): Promise<void> {
    await this.holder.swap(await engineOf(this.#system, extraField), () => this.hub.move());
  }

  async subscribe(options: SubscribeOptions = {}): Promise<ClientStream> {
    const { query = changes, after, principal = testPrincipal(), cursor } = options;
    const engine = this.holder.current;
    const prepared = await engine.prepare({ query, requestId: 'r' });
    if (!prepared.ok) throw new Error(prepared.answer.text);
    const variables = after === undefined ? {} : { after };
    const { operation } = prepared;
    const stream = this.hub.subscribe({ engine, operation, variables, principal, requestId: 'r', cursor });
    this.#open.push(stream);
    return stream;
  }

  /** Ends all streams and closes the engine. */
  async close(): Promise<void> {
    for (const stream of this.#open.splice(0)) await stream.return();
    await this.holder.close();
  }
}

function engineOf(system: TestSystem, extraField?: string): Promise<Engine> {
  return createEngine({
    supergraphSdl: system.supergraph(extraField),
    transports: system.transports,
    log: silentLogger(),
    planning: 'inline',
  });
}

/** The next event of an open stream. */
export async function next(stream: ClientStream): Promise<StreamEvent> {
  const item = await stream.next();
  if (item.done) throw new Error('Stream has ended');
  return item.value;
}

/** Reads up to the item; returns cursors and ids on the way, the opening message as its cursor only. */
export async function readTo(stream: ClientStream, id: string): Promise<string[]> {
  const seen: string[] = [];
  for (;;) {
    const event = await next(stream);
    if (event.last) throw new Error(event.text);
    const { cursor, item } = payloadOf(event);
    if (cursor !== event.cursor)
      throw new Error(`Cursor ${cursor} in the event, ${String(event.cursor)} next to it`);
    seen.push(item ? `${cursor} ${item.id}` : cursor);
    if (item?.id === id) return seen;
  }
}

function payloadOf({ text }: StreamEvent): { cursor: string; item: { id: string } | null } {
  const { data } = JSON.parse(text) as {
    data: { itemChanged: { cursor: string; item: { id: string } | null } };
  };
  return data.itemChanged;
}

/** A user with read permission in one experiment. */
export function human(subject: string, expiresAt?: Date): Principal {
  return testPrincipal({ subject, grants: { beta: 'READER' }, ...(expiresAt ? { expiresAt } : {}) });
}
