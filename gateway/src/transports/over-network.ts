import type { CallSigner } from '@rhizome/authz';
import type { Transport } from '@rhizome/federation';
import type { TokenFor } from './call-token.js';
import type { EndpointPolicy } from './endpoint-policy.js';
import { createHttpTransport } from './http.js';
import { createWebSocketSubscriptions } from './websocket.js';

/** Address of a subgraph, and who signs the tokens for it. */
export interface NetworkOptions {
  readonly url: string;
  /** Default: the URL with `ws` for `http`. */
  readonly webSocketUrl?: string | undefined;
  /** Signer of call tokens; without it calls carry no token, and only open services answer. */
  readonly calls?: CallSigner | undefined;
  /** Addresses that may be called; default: all. */
  readonly endpoints?: EndpointPolicy | undefined;
}

/** Calls a subgraph over HTTP, and its subscriptions over WebSocket. */
export function overNetwork(subgraph: string, options: NetworkOptions): Transport {
  const { url, webSocketUrl = url.replace(/^http/, 'ws'), calls, endpoints } = options;
  const tokenFor: TokenFor | undefined = calls && ((principal) => calls.tokenFor(principal, subgraph));
  const subscriptions = createWebSocketSubscriptions({ subgraph, url: webSocketUrl, tokenFor, endpoints });
  return createHttpTransport({ subgraph, url, subscriptions, tokenFor, endpoints });
}
