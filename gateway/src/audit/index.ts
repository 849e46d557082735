export { auditPolicies, type AuditGraphOptions, auditResolvers } from './graph/resolvers.js';
export { type AuditedRequest, AuditRecorder, type Recording } from './recorder.js';
