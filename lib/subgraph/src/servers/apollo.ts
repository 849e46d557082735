import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { formatGraphQLError } from '@rhizome/errors';
import type { Logger } from '@rhizome/log';
import type { GraphQLFormattedError } from 'graphql';
import type { SubgraphContext } from '../context/types.js';
import type { SubgraphSchema } from '../types.js';

/**
 * Starts an Apollo Server over the subgraph's schema that sends no usage reports and shapes errors by the
 * catalogue.
 */
export async function startApollo(
  { name, schema }: SubgraphSchema,
  log: Logger,
  introspection: boolean,
): Promise<ApolloServer<SubgraphContext>> {
  const server = new ApolloServer<SubgraphContext>({
    schema,
    introspection,
    hideSchemaDetailsFromClientErrors: !introspection,
    includeStacktraceInErrorResponses: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    csrfPrevention: true,
    logger: {
      debug: (m) => log.debug(m),
      info: (m) => log.debug(m),
      warn: (m) => log.warn(m),
      error: (m) => log.error(m),
    },
    formatError: (_formatted, error) => shape(error, undefined),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      errorsOfRequests(name, log),
    ],
  });
  await server.start();
  return server;
}

/** The error that was thrown, if the given one is already in its form for the client. */
const thrown = new WeakMap<GraphQLFormattedError, unknown>();

/** Shapes one error. The library calls this where it knows of no request; see {@link errorsOfRequests}. */
function shape(error: unknown, requestId: string | undefined): GraphQLFormattedError {
  const { extensions, ...rest } = formatGraphQLError(error, { requestId });
  // The library sets this key for its own HTTP layer; it is not for the client.
  const { http: _http, ...facts } = extensions ?? {};
  const shaped = { ...rest, extensions: facts };
  thrown.set(shaped, error);
  return shaped;
}

/** Adds the request id to the errors of an answer, and logs the parts that the client must not see. */
function errorsOfRequests(subgraph: string, log: Logger): ApolloServerPlugin<SubgraphContext> {
  return {
    contextCreationDidFail: async ({ error }) => log.error({ err: error, subgraph }, 'context failed'),
    requestDidStart: async () => ({
      willSendResponse: async ({ response, contextValue: { requestId } }) => {
        if (response.body.kind !== 'single' || !response.body.singleResult.errors) return;
        response.body.singleResult.errors = response.body.singleResult.errors.map((formatted) => {
          const error = thrown.get(formatted) ?? formatted;
          if (formatted.extensions?.['code'] === 'INTERNAL_SERVER_ERROR') {
            const err = (error as { originalError?: unknown }).originalError ?? error;
            log.error({ err, requestId, path: formatted.path, subgraph }, 'resolver failed');
          }
          return shape(error, requestId);
        });
      },
    }),
  };
}
