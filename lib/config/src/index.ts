export { loadConfig, redact, type ConfigSource, type DeepReadonly } from './load-config.js';
export { environmentName, settingsOf, type Setting } from './schema-walk.js';
export { z } from 'zod';
