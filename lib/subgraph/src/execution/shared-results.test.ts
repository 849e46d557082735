import { describe, expect, it } from '@jest/globals';
import { createPrincipal } from '@rhizome/authz';
import { DomainError } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { parse } from 'graphql';
import { buildSubgraph } from '../schema/build.js';
import type { DirectSource, Following } from '../streams/direct-source.js';
import { typeDefsOf } from '../testing/demo-subgraph.fixture.js';
import { createInProcess } from './in-process.js';
import type { ExecutionMode } from './operation.js';
import type { ResultStream } from '../streams/result-stream.js';
import { SharedEvent } from './shared-results.js';

class Tick extends SharedEvent {
  constructor(readonly n: number) {
    super();
  }
}

/** A source that is fed by hand and can be read directly. */
class Feed implements AsyncIterableIterator<unknown>, DirectSource<unknown> {
  readonly #items: unknown[];
  #listener: () => void = () => undefined;
  #isOver = false;

  constructor(...items: unknown[]) {
    this.#items = items;
  }

  put(item: unknown): void {
    this.#items.push(item);
    this.#listener();
  }

  finish(): void {
    this.#isOver = true;
    this.#listener();
  }

  tryNext(): unknown {
    return this.#items.shift();
  }

  follow(listener: () => void): Following {
    if (this.#items.length > 0) return 'take';
    this.#listener = listener;
    return this.#isOver ? 'ask' : 'wait';
  }

  async next(): Promise<IteratorResult<unknown, undefined>> {
    const value = this.#items.shift();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  async return(): Promise<IteratorResult<unknown, undefined>> {
    this.#isOver = true;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const sdl = `
  type Query { none: String }
  type Subscription { ticked(name: String): Ticked }
  type Ticked { n: Int! times(by: Int = 1): Int echo(value: Int): String fails: String later: String }
`;

function setUp(mode: ExecutionMode) {
  const feeds: Feed[] = [];
  const ran: number[] = [];
  const subgraph = buildSubgraph({
    name: 'clock',
    typeDefs: typeDefsOf(sdl),
    resolvers: {
      Query: { none: () => null },
      Subscription: {
        ticked: {
          subscribe: () => {
            const feed = new Feed(new Tick(0));
            feeds.push(feed);
            return feed;
          },
          resolve: (event: { n: number }) => {
            ran.push(event.n);
            return { n: event.n };
          },
        },
      },
      Ticked: {
        times: ({ n }: { n: number }, { by }: { by: number }) => n * by,
        echo: (_parent: unknown, { value }: { value: number | null }) => String(value),
        fails: () => {
          throw new DomainError('NOT_FOUND', 'There is none');
        },
        later: async ({ n }: { n: number }) => Promise.resolve(`later ${n}`),
      },
    },
    policies: { 'Query.none': { open: 'a test' }, 'Subscription.ticked': { open: 'a test' } },
  });
  const executable = createInProcess({ subgraph, log: silentLogger(), mode });
  const expiresAt = new Date('2099-01-01T00:00:00Z');
  const principal = createPrincipal({ kind: 'HUMAN', subject: 'somebody', grants: [], expiresAt });
  /** Opens a stream and reads its first event. */
  const open = async (text: string | ReturnType<typeof parse>, call: object = {}): Promise<ResultStream> => {
    const document = typeof text === 'string' ? parse(text) : text;
    const stream = executable.subscribe({
      document,
      principal,
      requestId: 'r',
      sharedScope: 'readers',
      ...call,
    }) as ResultStream;
    await stream.next();
    ran.length = 0;
    return stream;
  };
  const putAll = (event: unknown): void => feeds.forEach((feed) => feed.put(event));
  return { open, putAll, feeds, ran };
}

const plain = parse('subscription ($name: String) { ticked(name: $name) { n } }');

describe.each<ExecutionMode>(['jit', 'interpreted'])('an event for several subscriptions, %s', (mode) => {
  it('is answered once for subscriptions of one scope, whatever the arguments of the field are', async () => {
    const { open, putAll, ran } = setUp(mode);
    const one = await open(plain, { variables: { name: 'a' } });
    const two = await open(plain, { variables: { name: 'b' } });
    putAll(new Tick(7));
    const result = one.tryNext();
    expect(result).toEqual({ data: { ticked: { n: 7 } } });
    expect(two.tryNext()).toBe(result);
    expect(ran).toEqual([7]);
    putAll(new Tick(8));
    expect([one.tryNext(), two.tryNext()]).toEqual([
      { data: { ticked: { n: 8 } } },
      { data: { ticked: { n: 8 } } },
    ]);
    expect(ran).toEqual([7, 8]);
  });

  it.each<[string, object, object]>([
    ['scopes', {}, { sharedScope: 'writers' }],
    ['calls that share nothing', {}, { sharedScope: undefined }],
  ])('is answered separately for other %s', async (_what, first, second) => {
    const { open, putAll, ran } = setUp(mode);
    const [one, two] = [await open(plain, first), await open(plain, second)];
    putAll(new Tick(7));
    expect(one.tryNext()).not.toBe(two.tryNext());
    expect(ran).toEqual([7, 7]);
  });

  it.each([
    'subscription ($by: Int) { ticked { times(by: $by) } }',
    'subscription ($by: Int) { ...F } fragment F on Subscription { ticked { times(by: $by) } }',
    'subscription ($by: Int) { ticked { ...F } } fragment F on Ticked { times(by: $by) }',
  ])('is answered separately if a variable feeds more than the field: %s', async (text) => {
    const { open, putAll } = setUp(mode);
    const document = parse(text);
    const streams = [
      await open(document, { variables: { by: 2 } }),
      await open(document, { variables: { by: 3 } }),
    ];
    putAll(new Tick(7));
    expect(streams.map((stream) => stream.tryNext())).toEqual([
      { data: { ticked: { times: 14 } } },
      { data: { ticked: { times: 21 } } },
    ]);
  });

  it('is answered separately if a variable decides what is selected', async () => {
    const { open, putAll } = setUp(mode);
    const document = parse('subscription ($with: Boolean!) { ticked { n times @include(if: $with) } }');
    const [one, two] = [
      await open(document, { variables: { with: true } }),
      await open(document, { variables: { with: false } }),
    ];
    putAll(new Tick(7));
    expect([one.tryNext(), two.tryNext()]).toEqual([
      { data: { ticked: { n: 7, times: 7 } } },
      { data: { ticked: { n: 7 } } },
    ]);
  });

  it('is answered separately if a variable is null in one and absent in the other', async () => {
    const { open, putAll } = setUp(mode);
    const document = parse('subscription ($by: Int = 3) { ticked { by: echo(value: $by) } }');
    const [one, two] = [await open(document), await open(document, { variables: { by: null } })];
    putAll(new Tick(7));
    expect([one.tryNext(), two.tryNext()]).toEqual([
      { data: { ticked: { by: '3' } } },
      { data: { ticked: { by: 'null' } } },
    ]);
  });

  it('is answered separately if its answer has errors, which belong to one request', async () => {
    const { open, putAll, ran } = setUp(mode);
    const document = parse('subscription { ticked { fails } }');
    const [one, two] = [await open(document, { requestId: 'a' }), await open(document, { requestId: 'b' })];
    putAll(new Tick(7));
    expect([one.tryNext(), two.tryNext()]).toMatchObject([
      { errors: [{ extensions: { requestId: 'a' } }] },
      { errors: [{ extensions: { requestId: 'b' } }] },
    ]);
    expect(ran).toEqual([7, 7]);
  });

  it('is answered separately if its source does not mark it as shared', async () => {
    const { open, putAll, ran } = setUp(mode);
    const [one, two] = [await open(plain), await open(plain)];
    putAll({ n: 7 });
    expect(one.tryNext()).not.toBe(two.tryNext());
    expect(ran).toEqual([7, 7]);
  });
});

describe('a stream that is read directly', () => {
  it('returns a promise if a resolver is asynchronous', async () => {
    const { open, putAll } = setUp('jit');
    const stream = await open('subscription { ticked { later } }');
    putAll(new Tick(7));
    const result = stream.tryNext();
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toEqual({ data: { ticked: { later: 'later 7' } } });
  });

  it('calls the listener for an item and for the end; next then returns the end', async () => {
    const { open, feeds } = setUp('jit');
    const stream = await open(plain);
    let calls = 0;
    const listener = (): void => void (calls += 1);
    expect([stream.tryNext(), stream.follow(listener), calls]).toEqual([undefined, 'wait', 0]);
    feeds[0]?.put(new Tick(1));
    expect(calls).toBe(1);
    expect([stream.follow(listener), stream.tryNext()]).toEqual(['take', { data: { ticked: { n: 1 } } }]);
    feeds[0]?.finish();
    expect([calls, stream.tryNext(), stream.follow(listener)]).toEqual([2, undefined, 'ask']);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('returns the reason from the next call after it is ended from outside', async () => {
    const { open, putAll } = setUp('jit');
    const stream = await open(plain);
    let calls = 0;
    stream.follow(() => void (calls += 1));
    stream.end({ errors: [{ message: 'over' }] });
    putAll(new Tick(1));
    expect(calls).toBeGreaterThan(0);
    expect([stream.tryNext(), stream.follow(() => undefined)]).toEqual([undefined, 'ask']);
    expect(await stream.next()).toEqual({ done: false, value: { errors: [{ message: 'over' }] } });
    expect((await stream.next()).done).toBe(true);
  });
});
