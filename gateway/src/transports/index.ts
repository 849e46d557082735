export { type GuardFacts, type GuardLimits, Guards } from './guard.js';
export { createHttpTransport, type HttpTransportOptions } from './http.js';
export { overNetwork } from './over-network.js';
export {
  createWebSocketSubscriptions,
  type WebSocketOptions,
  type WebSocketSubscriptions,
} from './websocket.js';
export { EndpointPolicy } from './endpoint-policy.js';
