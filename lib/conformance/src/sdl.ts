import { parse, print } from 'graphql';
import { firstDifference, type ServedSchema } from './served-schema.js';
import { CheckFailed, type Check, type EndpointContract, CheckSkipped } from './types.js';

/** Checks that the endpoint serves the published SDL, and that the SDL follows the project's rules. */
export function sdlChecks(contract: EndpointContract, served: () => ServedSchema): readonly Check[] {
  return [
    {
      part: 'sdl',
      promise: 'the endpoint serves its SDL in `_service { sdl }`',
      run: async () => `${served().roots.length} root fields, ${served().entities.length} entities`,
    },
    {
      part: 'sdl',
      promise: 'the served SDL equals the published SDL',
      run: async () => {
        if (contract.published === undefined) throw new CheckSkipped('needs the published SDL to compare');
        const spelling = contract.spelling ?? ((text: string) => print(parse(text)));
        const [is, should] = [spelling(served().sdl), spelling(contract.published)];
        if (is === should) return 'equal, apart from formatting';
        throw new CheckFailed(
          `they differ: served ${firstDifference(is, should)} published`,
          'publish the served SDL, or deploy the published one',
        );
      },
    },
    {
      part: 'rules',
      promise: 'the SDL follows the project’s rules',
      run: async () => {
        if (!contract.checkSchema) throw new CheckSkipped('needs the rules');
        const findings = contract.checkSchema(served().sdl);
        if (findings.length === 0) return 'no finding';
        throw new CheckFailed(
          findings.map(({ where, rule }) => `${where} (${rule})`).join(', '),
          findings.map(({ message }) => message).join(' '),
        );
      },
    },
  ];
}
