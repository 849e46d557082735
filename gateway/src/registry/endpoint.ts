/** What a subgraph's service says of its own schema. */
import type { Principal } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import { canonicalSdl } from '@rhizome/schema';
import { parse } from 'graphql';
import type { SubgraphOperation, TransportFactory } from '@rhizome/federation';

/** Who asks an endpoint, and where. */
export interface EndpointCall {
  readonly subgraph: string;
  readonly endpoint: string;
  readonly principal: Principal;
  readonly requestId: string;
}

/** How an endpoint is asked for its schema; the publisher's own token goes along. */
export type AskEndpoint = (call: EndpointCall) => Promise<string>;

const withinMs = 5_000;
const documentText = '{ _service { sdl } }';
const document = parse(documentText);

/**
 * Asks by the ways that the engine goes.
 * @returns a function that rejects with DomainError DOWNSTREAM_SERVICE_ERROR when there is no answer within five seconds or none that can be used
 */
export function endpointAsker(transports: TransportFactory): AskEndpoint {
  return async ({ subgraph, endpoint, principal, requestId }) => {
    const transport = transports(subgraph, endpoint);
    const operation: SubgraphOperation = { subgraph, kind: 'query', documentText, document };
    const late = new DomainError('DOWNSTREAM_SERVICE_ERROR', `it did not answer within ${withinMs} ms`);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(late), withinMs);
    const aborted = new Promise<never>((_resolve, reject) =>
      controller.signal.addEventListener('abort', () => reject(late), { once: true }),
    );
    try {
      const request = {
        operation,
        principal,
        requestId,
        scope: `schema of ${subgraph}`,
        signal: controller.signal,
      };
      const { data, errors } = await Promise.race([transport.execute(request), aborted]);
      const sdl = (data?.['_service'] as { sdl?: unknown } | null | undefined)?.sdl;
      if (typeof sdl === 'string' && sdl.trim() !== '') return sdl;
      const why = errors?.[0]?.message ?? 'it answered without a schema';
      throw new DomainError('DOWNSTREAM_SERVICE_ERROR', `it refused to tell its schema: ${why}`);
    } catch (error) {
      if (isDomainError(error)) throw error;
      throw new DomainError('DOWNSTREAM_SERVICE_ERROR', 'it cannot be reached', {}, { cause: error });
    } finally {
      clearTimeout(timer);
      // A transport ends its calls before it closes; nobody waits for one that hangs.
      void Promise.resolve(transport.close()).catch(() => undefined);
    }
  };
}

/** The definitions in which two SDLs differ, by their first lines; empty when they say the same. */
export function differences(one: string, other: string): readonly string[] {
  const split = (sdl: string): Set<string> => new Set(canonicalSdl(sdl).split('\n\n'));
  const [a, b] = [split(one), split(other)];
  const lone = [...[...a].filter((text) => !b.has(text)), ...[...b].filter((text) => !a.has(text))];
  return [...new Set(lone.map(headOf))];
}

function headOf(definition: string): string {
  const line = definition.split('\n').find((one) => /^[a-z]/.test(one)) ?? definition;
  return line.replace(/ ?[{@(].*$/s, '');
}
