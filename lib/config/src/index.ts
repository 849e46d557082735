export { loadConfig, redact, type ConfigSource, type DeepReadonly } from './load-config.js';
export { environmentName, settingsOf, type Setting } from './schema-walk.js';
export { tlsSettings } from './tls-settings.js';
export { z } from 'zod';
