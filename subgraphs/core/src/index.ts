export { buildCore, type Core, type CoreOptions, corePolicies } from './app.js';
export type { CoreConfig } from './core-config.js';
