// Public API of the package; everything else is private to it.
export { withExtension } from './operation/operation.js';
export type { TraceRequest } from './engine/trace.js';
export { createEngine } from './engine/engine.js';
export { defaultLimits } from './engine/limits.js';
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
} from './engine/types.js';
export {
  Cancellation,
  type CallEnd,
  endOf,
  type SignalledEnd,
  throwIfEnded,
} from './transport/cancellation.js';
export { endedBy } from './transport/ended-request.js';
export { createInProcessTransport } from './transport/in-process.js';
export type {
  PrincipalFor,
  SubgraphError,
  SubgraphOperation,
  SubgraphRequest,
  SubgraphResult,
  SubgraphStream,
  Transport,
  TransportFactory,
} from './transport/transport.js';
