// Operations that subgraphs offer to agents as tools.
export { type CheckedOperation, type CheckedOperations, checkOperations, distinctTools } from './check.js';
export type { JsonSchema } from './input-schema.js';
export {
  type AgentOperation,
  fixedTools,
  joinOperations,
  longestOperations,
  mostOperations,
  type OfferingSubgraph,
  type OperationFault,
  personVariable,
  readOperations,
  type Stakes,
} from './read.js';
export { textFault } from './texts.js';
