export { HttpHandler, passedOn } from './http.js';
export { Inbox } from './inbox.js';
export { GatewayMetrics } from './metrics.js';
export { Operations } from './operations.js';
export { type Endpoints, ownRoutes, type ReadinessProblems, Router } from './router.js';
export { WebSocketHandler } from './ws.js';
