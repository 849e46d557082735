/** The schema to publish: the SDL from the caller, the SDL of the endpoint, or both if they agree. */
import { isDomainError } from '@rhizome/errors';
import { completeSdl, finding } from '@rhizome/schema';
import { type ReadEndpointSchema, differences } from './endpoint.js';
import { refuse, type SchemaRefusal } from './refusal.js';
import type { SubgraphDocument } from './store/subgraph.document.js';

/** Sources of a schema. */
export interface Offer {
  readonly registered: SubgraphDocument;
  /** Null uses the SDL of the endpoint. */
  readonly given: string | null;
  /** Requires that the endpoint returns the given SDL. */
  readonly match: 'equal' | 'unchecked';
}

/** Reason why there is no schema to publish. */
export type OfferRefusal = SchemaRefusal<'INVALID_VALUE' | 'ENDPOINT_DIFFERS'>;

/** The schema as it would be published. */
export async function offeredSchema(
  readEndpointSchema: ReadEndpointSchema,
  { registered, given, match }: Offer,
  requestId: string,
): Promise<string | OfferRefusal> {
  if (given !== null && match === 'unchecked') return complete(given);
  let served: string;
  try {
    const { _id: subgraph, endpoint } = registered;
    served = await readEndpointSchema({ subgraph, endpoint, requestId });
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return refuse('ENDPOINT_DIFFERS', 'subgraph', `${registered.endpoint}: ${error.message}`);
  }
  if (given === null) return complete(served);
  const completed = complete(given);
  if (typeof completed !== 'string') return completed;
  const differing = differences(completed, served);
  if (differing.length === 0) return completed;
  const text = `${registered.endpoint} returns another schema; it differs in ${differing.slice(0, 10).join(', ')}. ${finding('endpoint', '', '').cure}`;
  return refuse('ENDPOINT_DIFFERS', 'sdl', text);
}

/** Maximum number of characters of a subgraph's schema. */
const longestSdl = 2_000_000;

function complete(sdl: string): string | OfferRefusal {
  if (sdl.length > longestSdl) {
    return refuse(
      'INVALID_VALUE',
      'sdl',
      `${sdl.length} characters are too many; must be at most ${longestSdl}`,
    );
  }
  try {
    return completeSdl(sdl);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return refuse('INVALID_VALUE', 'sdl', text);
  }
}
