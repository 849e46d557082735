/** The schema that is to be published: what was given, what its endpoint answers, or both where they agree. */
import type { Principal } from '@rhizome/authz';
import { isDomainError } from '@rhizome/errors';
import { completeSdl, finding } from '@rhizome/schema';
import { type AskEndpoint, differences } from './endpoint.js';
import { refuse, type SchemaRefusal } from './refusal.js';
import type { SubgraphDocument } from './store/subgraph.document.js';

/** Where a schema comes from. */
export interface Offer {
  readonly registered: SubgraphDocument;
  /** Null takes what the endpoint answers. */
  readonly given: string | null;
  /** Whether the endpoint must answer with what was given. */
  readonly match: 'equal' | 'unchecked';
}

/** Why there is no schema to publish. */
export type OfferRefusal = SchemaRefusal<'INVALID_VALUE' | 'ENDPOINT_DIFFERS'>;

/** The schema as it would be published. */
export async function offeredSchema(
  askEndpoint: AskEndpoint,
  { registered, given, match }: Offer,
  call: { readonly principal: Principal; readonly requestId: string },
): Promise<string | OfferRefusal> {
  if (given !== null && match === 'unchecked') return complete(given);
  let served: string;
  try {
    const { _id: subgraph, endpoint } = registered;
    served = await askEndpoint({ subgraph, endpoint, ...call });
  } catch (error) {
    if (!isDomainError(error)) throw error;
    return refuse('ENDPOINT_DIFFERS', 'subgraph', `${registered.endpoint}: ${error.message}`);
  }
  if (given === null) return complete(served);
  const completed = complete(given);
  if (typeof completed !== 'string') return completed;
  const differing = differences(completed, served);
  if (differing.length === 0) return completed;
  const text = `${registered.endpoint} answers with another schema; it differs in ${differing.slice(0, 10).join(', ')}. ${finding('endpoint', '', '').cure}`;
  return refuse('ENDPOINT_DIFFERS', 'sdl', text);
}

/** Characters of a subgraph's schema. */
const longestSdl = 2_000_000;

function complete(sdl: string): string | OfferRefusal {
  if (sdl.length > longestSdl) {
    return refuse('INVALID_VALUE', 'sdl', `it has ${sdl.length} characters; expected at most ${longestSdl}`);
  }
  try {
    return completeSdl(sdl);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return refuse('INVALID_VALUE', 'sdl', `it does not parse: ${text}`);
  }
}
