import type { Transport } from '@rhizome/federation';
import { createHttpTransport } from './http.js';
import { createWebSocketSubscriptions } from './websocket.js';

/**
 * Calls a subgraph over HTTP, and its subscriptions over WebSocket, at the same address unless another is
 * given.
 */
export function overNetwork(
  subgraph: string,
  url: string,
  webSocketUrl: string = url.replace(/^http/, 'ws'),
): Transport {
  const subscriptions = createWebSocketSubscriptions({ subgraph, url: webSocketUrl });
  return createHttpTransport({ subgraph, url, subscriptions });
}
