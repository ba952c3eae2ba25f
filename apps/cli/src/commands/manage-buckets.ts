import type { Bucket, OperationData, OperationInput } from '@carcosa/sdk';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { ask } from '../lib/ask.ts';
import { table } from '../lib/output.ts';
import type { WithContext } from '../program.ts';

type Create = OperationInput<'POST /buckets'>['body'];
type Examination = OperationData<'POST /buckets/{id}/test'>;

interface AddOptions {
  organization: string;
  name: string;
  endpoint?: string;
  region?: string;
  prefix?: string;
  accessKeyId: string;
  pathStyle?: boolean;
}

/** `buckets list`, `buckets add`, `buckets test`, `buckets fix-cors`. All need a log-in. */
export function manageBuckets(program: Command, run: WithContext): void {
  const buckets = program.command('buckets').description('where bytes lie');
  buckets
    .command('list')
    .description('all that you may know of')
    .action(
      run(async (context) => {
        const all = await (await context.client()).buckets.list().toArray();
        context.output.result(all, (found) => table(['ID', 'NAME', 'KIND', 'PLACE'], found.map(row)));
      }),
    );
  buckets
    .command('add')
    .description('add a bucket of an S3-compatible service, and test it')
    .argument('<bucket>', 'as the service calls it')
    .requiredOption('--organization <id>', 'whose it is')
    .requiredOption('--name <name>', 'for people')
    .requiredOption('--access-key-id <id>', 'the secret is asked for, or read from standard input')
    .option('--endpoint <url>', "default: Amazon's")
    .option('--region <region>', 'default: what suits the endpoint')
    .option('--prefix <folder>', 'everything goes below it')
    .option('--path-style', 'https://host/bucket/key')
    .action(
      run(async (context, [bucket]: [string], options: AddOptions) => {
        const { organization, name, accessKeyId, endpoint, region, prefix, pathStyle } = options;
        const place = { endpoint, region, prefix, pathStyle };
        const known = Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));
        const credentials = { accessKeyId, secretAccessKey: await secret() };
        const body = { provider: 's3', organizationId: organization, name, bucket, credentials, ...known } as Create;
        const client = await context.client();
        const made = await client.buckets.create(body);
        const examination = await client.buckets.test(made.id, {});
        context.output.result({ bucket: made, examination }, () => `${made.id}\n${findings(examination)}`);
        assertUsable(examination);
      }),
    );
  buckets
    .command('test')
    .description('what the credentials may do there')
    .argument('<id>')
    .action(
      run(async (context, [id]: [string]) => {
        const examination = await (await context.client()).buckets.test(id, {});
        context.output.result(examination, findings);
        assertUsable(examination);
      }),
    );
  buckets
    .command('fix-cors')
    .description('let pages upload straight to the bucket')
    .argument('<id>')
    .option('--origin <origins...>', "of those pages; default: the server's own")
    .action(
      run(async (context, [id]: [string], { origin }: { origin?: string[] }) => {
        const fix = await (await context.client()).buckets.fixCors(id, origin ? { origins: origin } : {});
        context.output.result(fix, ({ message }) => message);
        if (!fix.fixed) throw new CommandFailure('The rule could not be set.', EXIT.rejected);
      }),
    );
}

const row = ({ id, name, provider, place }: Bucket): string[] => [
  id,
  name,
  provider,
  place ? `${place.endpoint ?? ''} ${place.bucket}` : 'this server',
];

const findings = ({ problem, rights }: Examination): string =>
  [
    ...(problem ? [problem] : []),
    ...rights.map(({ right, status, message }) => `${right.padEnd(10)} ${status.padEnd(11)} ${message}`),
  ].join('\n');

function assertUsable({ usable }: Examination): void {
  if (!usable) throw new CommandFailure('Carcosa cannot use this bucket as it is.', EXIT.rejected);
}

async function secret(): Promise<string> {
  if (process.stdin.isTTY) return ask('Secret access key:', true);
  let text = '';
  for await (const piece of process.stdin.setEncoding('utf8')) text += piece;
  return text.trim();
}
