export { auditPolicies, type AuditGraphOptions, auditResolvers } from './graph/resolvers.js';
export { watchAuditExports } from './export-metrics.js';
export {
  actorOf,
  type AuditedLogin,
  type AuditedRequest,
  AuditRecorder,
  type Recording,
} from './recorder.js';
