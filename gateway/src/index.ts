export { buildGateway, builtPages, type Gateway } from './app.js';
export type { GatewayOptions } from './gateway-options.js';
export { createGatewayVerifier, type GatewayVerifierOptions } from './gateway-verifier.js';
export { mcpSettings, type McpSettingsOptions } from './mcp/configured.js';
export { type BaselineOptions, putBaseline } from './registry/baseline.js';
export { buildOwnSubgraph } from './registry/index.js';
export { routes } from './routes.js';
export { serveGateway, type ServedGateway, type ServeGatewayOptions } from './serve.js';
export { defaultLimits, type GatewayLimits, readManifest } from './policy/index.js';
export { createInProcessTransport, type Transport, type TransportFactory } from '@rhizome/federation';
export {
  createHttpTransport,
  createWebSocketSubscriptions,
  Guards,
  EndpointPolicy,
  overNetwork,
} from './transports/index.js';
