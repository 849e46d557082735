import { ApolloServer } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { isInternalError, toGraphQLError } from '@rhizome/errors';
import { currentContext, type Logger } from '@rhizome/log';
import type { GraphQLFormattedError } from 'graphql';
import type { SubgraphContext } from './context.js';
import type { SubgraphSchema } from './types.js';

/** A started Apollo Server over the subgraph's schema that reports to nobody and shapes errors by the catalogue. */
export async function startApollo(
  { name, schema }: SubgraphSchema,
  log: Logger,
  introspection: boolean,
): Promise<ApolloServer<SubgraphContext>> {
  const server = new ApolloServer<SubgraphContext>({
    schema,
    introspection,
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
    formatError: (_formatted, error) => formatError(error, name, log),
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  await server.start();
  return server;
}

/** Shapes one error; the request's id is that of the log lines of this request. */
function formatError(error: unknown, subgraph: string, log: Logger): GraphQLFormattedError {
  const shaped = toGraphQLError(error, { requestId: currentContext().requestId });
  if (isInternalError(shaped)) {
    log.error({ err: shaped.originalError ?? error, path: shaped.path, subgraph }, 'resolver failed');
  }
  const { extensions, ...rest } = shaped.toJSON();
  // What the library tells its own HTTP layer by this key is no business of the client.
  const { http: _http, ...facts } = extensions ?? {};
  return { ...rest, extensions: facts };
}
