import { EndpointClient } from './endpoint-client.js';
import { drainChecks } from './drain.js';
import { entityChecks } from './entities.js';
import { healthChecks } from './health.js';
import { limitChecks } from './limits.js';
import { policyChecks } from './policies.js';
import { sdlChecks } from './sdl.js';
import { readServedSchema, type ServedSchema } from './served-schema.js';
import { streamChecks } from './streams.js';
import {
  CheckFailed,
  type Check,
  type ContractFinding,
  contractParts,
  type EndpointContract,
  CheckSkipped,
} from './types.js';

/**
 * Looks at an endpoint from outside, promise by promise, and yields what it finds as it goes. Nothing but the
 * address and tokens is needed: the endpoint may be written in any language. Never throws: an endpoint that
 * does not answer is a broken promise.
 */
export async function* checkEndpoint(
  contract: EndpointContract,
): AsyncGenerator<ContractFinding, void, undefined> {
  const endpoint = new EndpointClient(contract);
  let read: ServedSchema | Error | undefined;
  const served = (): ServedSchema => {
    if (read instanceof Error || read === undefined) throw read ?? new CheckSkipped('the SDL was not read');
    return read;
  };
  yield* runAll(healthChecks(endpoint));
  try {
    const { _service } = await endpoint.data({ query: '{ _service { sdl } }' });
    read = readServedSchema(String((_service as { sdl?: unknown } | null)?.sdl ?? ''));
  } catch (error) {
    read = error instanceof Error ? error : new Error(String(error));
  }
  const checks = [
    ...sdlChecks(contract, served),
    ...entityChecks(endpoint, served),
    ...policyChecks(endpoint, served),
    ...streamChecks(endpoint, served),
    ...limitChecks(endpoint),
    ...drainChecks(endpoint, served),
  ];
  const order = (part: Check['part']): number => contractParts.indexOf(part);
  yield* runAll([...checks].sort((a, b) => order(a.part) - order(b.part)));
}

async function* runAll(checks: readonly Check[]): AsyncGenerator<ContractFinding, void, undefined> {
  for (const check of checks) yield await run(check);
}

async function run({ part, promise, run: look }: Check): Promise<ContractFinding> {
  const started = performance.now();
  const ended = (): number => Math.round(performance.now() - started);
  try {
    return { part, promise, outcome: 'passed', seen: await look(), ms: ended() };
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    if (error instanceof CheckSkipped) return { part, promise, outcome: 'skipped', seen, ms: ended() };
    const fix = error instanceof CheckFailed ? error.fix : 'respond as GraphQL over HTTP specifies';
    return { part, promise, outcome: 'failed', seen, fix, ms: ended() };
  }
}
