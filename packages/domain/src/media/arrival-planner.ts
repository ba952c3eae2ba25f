import { type ArrivalRule, ruleCovers } from '@carcosa/contracts';
import type { ArrivalRow, Queryable } from '@carcosa/database';
import { type Clock, type IdGenerator, isCarcosaError, type ProjectId } from '@carcosa/kernel';
import { FactsService } from './facts-service.ts';
import { stepFits } from './step-maker.ts';
import type { TransformJobs } from './transform-jobs.ts';

export interface ArrivalPlannerParts {
  clock: Clock;
  ids: IdGenerator;
  projects: { facts(id: ProjectId): Promise<ProjectRules> | ProjectRules };
  jobs: Pick<TransformJobs, 'enqueue'>;
  /** Each makes a job, if and only if the transaction commits. */
  later: {
    scan(tx: Queryable, objectId: string): Promise<void>;
    readFacts(tx: Queryable, objectId: string): Promise<void>;
    inspect(
      tx: Queryable,
      what: { fileId: string; version: number; inspection: NonNullable<ArrivalRule['inspect']> },
    ): Promise<void>;
  };
}

interface ProjectRules {
  settings: { onArrival: readonly ArrivalRule[] };
}

/** Decides what is done with a content that has come. */
export class ArrivalPlanner {
  readonly #parts: ArrivalPlannerParts;

  constructor(parts: ArrivalPlannerParts) {
    this.#parts = parts;
  }

  /** Makes the jobs for it: a scan, before which nothing else is done with it; its facts; what the rules of its project say. */
  async plan(tx: Queryable, arrival: ArrivalRow): Promise<void> {
    const { later } = this.#parts;
    const { objectId, contentType, quarantine } = arrival;
    if (quarantine === 'pending') return await later.scan(tx, objectId);
    if (quarantine !== null) return;
    if (FactsService.hasFacts(contentType)) await later.readFacts(tx, objectId);
    // What a rule has made is no reason to make more.
    if (arrival.isResult) return;
    for (const rule of await this.#rules(arrival.projectId))
      if (ruleCovers(rule, arrival)) await this.#follow(tx, rule, arrival);
  }

  async #follow(tx: Queryable, { steps = [], inspect }: ArrivalRule, arrival: ArrivalRow): Promise<void> {
    const { jobs, later, ids, clock } = this.#parts;
    const { fileId, version, projectId, tenantId, path, contentType } = arrival;
    if (inspect) return await later.inspect(tx, { fileId, version, inspection: inspect });
    const fitting = steps.filter((step) => stepFits(step, contentType));
    if (fitting.length === 0) return;
    await jobs.enqueue(tx, {
      ...({
        id: ids.next('job'),
        kind: 'file',
        origin: 'arrival',
        projectId,
        tenantId,
        fileId,
        version,
        path,
      } as const),
      ...{ input: { steps: fitting, into: 'files' }, createdBy: 'system', createdAt: clock.now() },
    });
  }

  async #rules(projectId: ProjectId): Promise<readonly ArrivalRule[]> {
    try {
      return (await this.#parts.projects.facts(projectId)).settings.onArrival;
    } catch (error) {
      // Of a project that was removed nothing is wanted.
      if (isCarcosaError(error, 'not_found')) return [];
      throw error;
    }
  }
}
