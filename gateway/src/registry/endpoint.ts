/** Reads the schema of a subgraph from its service. */
import { createSharedPrincipal, never, type Principal } from '@rhizome/authz';
import { DomainError, isDomainError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import { canonicalSdl } from '@rhizome/schema';
import { parse } from 'graphql';
import type { SubgraphOperation, TransportFactory } from '@rhizome/federation';

/** Address of an endpoint, and the request that it is read for. */
export interface EndpointCall {
  readonly subgraph: string;
  readonly endpoint: string;
  readonly requestId: string;
}

/** Reads the schema of an endpoint, as a caller without a name. */
export type ReadEndpointSchema = (call: EndpointCall) => Promise<string>;

/** A caller that may read the schema. The service may be anybody's: it learns nothing about the publisher. */
function readerOf(subgraph: string): Principal {
  return createSharedPrincipal({
    kind: 'SERVICE',
    grants: [{ experiment: subgraph, roles: ['SERVICE'] }],
    actions: ['subgraph:read'],
    expiresAt: never,
  });
}

const withinMs = 5_000;
const documentText = '{ _service { sdl } }';
const document = parse(documentText);

/**
 * Creates a reader that uses the engine's transports.
 * @returns a function that rejects with DomainError DOWNSTREAM_SERVICE_ERROR if there is no usable response
 *   within 5 s
 */
export function endpointSchemaReader(transports: TransportFactory, log: Logger): ReadEndpointSchema {
  return async ({ subgraph, endpoint, requestId }) => {
    const transport = transports(subgraph, endpoint);
    const operation: SubgraphOperation = { subgraph, kind: 'query', documentText, document };
    const late = new DomainError('DOWNSTREAM_SERVICE_ERROR', `no response within ${withinMs} ms`);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(late), withinMs);
    const aborted = new Promise<never>((_resolve, reject) =>
      controller.signal.addEventListener('abort', () => reject(late), { once: true }),
    );
    try {
      const request = {
        operation,
        principal: readerOf(subgraph),
        requestId,
        scope: `schema of ${subgraph}`,
        signal: controller.signal,
      };
      const { data, errors } = await Promise.race([transport.execute(request), aborted]);
      const sdl = (data?.['_service'] as { sdl?: unknown } | null | undefined)?.sdl;
      if (typeof sdl === 'string' && sdl.trim() !== '') return sdl;
      throw new Error(errors?.[0]?.message ?? 'the response has no schema');
    } catch (error) {
      // The caller may have any address read: what is found there is for the operator only.
      log.info({ err: error, subgraph, endpoint, requestId }, 'endpoint returned no schema');
      if (isDomainError(error) && error.code === 'FORBIDDEN') throw error;
      throw new DomainError(
        'DOWNSTREAM_SERVICE_ERROR',
        'the service returned no schema',
        {},
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
      // A transport ends its calls before it closes; nothing waits for one that hangs.
      void Promise.resolve(transport.close()).catch(() => undefined);
    }
  };
}

/** First lines of the definitions in which two SDLs differ; empty if they are equivalent. */
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
