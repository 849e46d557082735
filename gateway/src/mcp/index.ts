export type { OfferedOperations } from './catalogue.js';
export { McpEndpoint, type McpEndpointOptions } from './endpoint.js';
export { mcpPath, mcpRoutes, type McpSettings } from './settings.js';
