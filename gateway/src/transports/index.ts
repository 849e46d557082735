export { Cancellation, type CallEnd, endOf, throwIfEnded } from './cancellation.js';
export { type GuardFacts, type GuardLimits, Guards } from './guard.js';
export { createHttpTransport, type HttpTransportOptions } from './http.js';
export { createInProcessTransport } from './in-process.js';
export { overNetwork } from './over-network.js';
export { PushQueue, type PushQueueOptions } from './push-queue.js';
export {
  createWebSocketSubscriptions,
  type WebSocketOptions,
  type WebSocketSubscriptions,
} from './websocket.js';
export type {
  SubgraphError,
  SubgraphOperation,
  SubgraphRequest,
  SubgraphResult,
  Transport,
  TransportFactory,
} from './transport.js';
