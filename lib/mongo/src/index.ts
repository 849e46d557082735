export { systemClock, type Clock } from './clock.js';
export { createIds, type Ids } from './ids.js';
export { defaultCacheDir, resolveMongod, type ResolveOptions } from './binary/resolve.js';
export { progressLine, type FetchProgress, type OnProgress } from './binary/progress.js';
export { startMongod, type RunningMember, type RunningMongod, type StartOptions } from './server/start.js';
