import type { EndpointClient } from './endpoint-client.js';
import type { ServedSchema } from './served-schema.js';
import { socketTo, subscriptionTo } from './streams.js';
import { CheckFailed, type Check, CheckSkipped } from './types.js';

const deadlineMs = 30_000;

/**
 * After SIGTERM the endpoint accepts nothing new, closes its streams with a code, and exits. The last check:
 * nothing answers after it.
 */
export function drainChecks(endpoint: EndpointClient, served: () => ServedSchema): readonly Check[] {
  return [
    {
      part: 'drain',
      promise: 'SIGTERM: streams are closed with a code, and the port is free within 30 s',
      run: async () => {
        const { terminate } = endpoint.contract;
        if (!terminate) throw new CheckSkipped('needs its process id');
        const { closed } = await watchSocket(endpoint, served());
        const started = performance.now();
        await terminate();
        await gone(endpoint, started);
        const seen = `gone after ${Math.round(performance.now() - started)} ms`;
        const code = await closed;
        if (code === null) return seen;
        if (code !== 1006) return `${seen}, streams closed with ${code}`;
        throw new CheckFailed(
          'an open stream was closed without a close frame',
          'on SIGTERM close each socket, with 1001 or another code, before the process ends',
        );
      },
    },
  ];
}

/** Opens a stream; `closed` is the code it will be closed with, or null where there is none to open. */
async function watchSocket(
  endpoint: EndpointClient,
  { roots }: ServedSchema,
): Promise<{ readonly closed: Promise<number> | null }> {
  if (!roots.some(({ operation }) => operation === 'subscription')) return { closed: null };
  const client = socketTo(endpoint.contract.url, { authorization: `Bearer ${await endpoint.token()}` });
  const closed = new Promise<number>((resolve) =>
    client.on('closed', (event) => resolve((event as { code?: number }).code ?? 1006)),
  );
  const [[field, { arguments: given = {} }] = ['', {}]] = Object.entries(
    endpoint.contract.subscriptions ?? {},
  );
  if (field === '') return { closed: null };
  const query = subscriptionTo(field, given, '__typename');
  const opened = new Promise<void>((resolve) =>
    client.on('message', ({ type }) => type === 'next' && resolve()),
  );
  client.subscribe({ query }, { next: () => undefined, error: () => undefined, complete: () => undefined });
  await Promise.race([opened, closed]);
  return { closed };
}

async function gone(endpoint: EndpointClient, started: number): Promise<void> {
  for (;;) {
    try {
      await fetch(new URL('/healthz', endpoint.contract.url), {
        signal: AbortSignal.timeout(2000),
        headers: { connection: 'close' },
      });
    } catch (error) {
      if ((error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED') return;
    }
    if (performance.now() - started > deadlineMs)
      throw new CheckFailed(
        `it still accepts connections after ${deadlineMs / 1000} s`,
        'drain on SIGTERM within 30 s',
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
