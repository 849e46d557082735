/** Servers without GraphQL: for services that need no more than these. */
export { boundedConnections } from './connections.js';
export { InFlight } from './in-flight.js';
export { listen, type ListenAddress, type ListenOptions } from './listen.js';
export { createWebServer, type TlsFiles, type WebServer } from './web-server.js';
