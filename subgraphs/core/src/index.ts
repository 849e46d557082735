export { buildCore, type Core, corePolicies } from './app.js';
export type { CoreConfig, CoreOptions } from './composition/core-config.js';
export { masterKeysOf, type SecretsConfig } from './composition/secrets.module.js';
export { openTransitionWriter } from './jobs/transitions/open-writer.js';
export type { TransitionRequest } from './jobs/transitions/transition.types.js';
