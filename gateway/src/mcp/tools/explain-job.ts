/** `explain_job`: why a job waits, or how it failed. The facts are core's; no model is asked. */
import { can } from '@rhizome/authz';
import type { GraphQLSchema } from 'graphql';
import { documentTool } from './document-tool.js';
import type { Tool } from './tool.js';

const text = `query ($id: ID!) {
  job(id: $id) {
    id name state sharePath priority attempt exitCode notBefore
    experiment { name }
    hold { by { subject } reason at }
    error { family code message isRetryable }
    dependsOn { id state }
    attempts {
      number outcome startedAt endedAt exitCode host queue { name }
      error { family code message isRetryable }
    }
    pending {
      summary mostFailed position isPositionEstimated isShareBorrowing
      queuesConsidered workersConsidered workersThatFit workersFreeNow
      constraints { constraint queuesThatPass workersThatPass devicesThatPass reasons }
      relaxations { constraint change queuesGained workersGained devicesGained }
      wait { kind seconds lowSeconds highSeconds }
    }
  }
}`;

/** The tool; undefined for a graph without jobs. */
export function explainJobTool(schema: GraphQLSchema): Tool | undefined {
  return documentTool(schema, {
    name: 'explain_job',
    title: 'Explain a job',
    description:
      'Explains why a job waits, or how it failed. Gives its constraints with the workers that meet each, the change that would help most, and the errors of its attempts.',
    inputSchema: {
      type: 'object',
      properties: { id: { type: 'string', description: 'Id of the job, job_….' } },
      required: ['id'],
      additionalProperties: false,
    },
    query: text,
    paths: {
      untrusted: ['job.name', 'job.hold.reason', 'job.error.message', 'job.attempts.error.message'],
      trusted: [
        'job.pending.summary',
        'job.pending.mostFailed',
        'job.pending.constraints.constraint',
        'job.pending.relaxations.constraint',
        'job.pending.relaxations.change',
      ],
    },
    isFor: (principal) => !principal || can(principal, 'job:read'),
  });
}
