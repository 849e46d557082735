// The engine's door: everything else in this folder is private to it.
export { withExtension } from './operation.js';
export type { TraceRequest } from './trace.js';
export { createEngine } from './engine.js';
export { defaultLimits } from './limits.js';
export type {
  ClientRequest,
  Engine,
  EngineLimits,
  EngineLog,
  EngineOptions,
  ExecutionText,
  OperationCheck,
  OperationInfo,
  PlanNote,
  Preparation,
  ResumableField,
  Subscribing,
} from './types.js';
