import {
  createUploadRouter,
  f,
  type inferRouteInput,
  type inferRouteKind,
  type inferRouteOutput,
  UploadError,
} from '@carcosa/file-router';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

const router = createUploadRouter({
  avatar: f({ image: { maxFileSize: '4MB', maxFileCount: 1, minWidth: 64 } })
    .input(z.object({ crop: z.coerce.number() }))
    .middleware(async ({ request, input, files }) => {
      expectTypeOf(request).toEqualTypeOf<Request>();
      expectTypeOf(input).toEqualTypeOf<{ crop: number }>();
      expectTypeOf(files[0]?.size).toEqualTypeOf<number | undefined>();
      if (files.length > 100) throw new UploadError('too many');
      return { userId: 'u1', at: new Date() };
    })
    .onUploadError(({ error, fileKey }) => {
      expectTypeOf(error).toEqualTypeOf<UploadError>();
      expectTypeOf(fileKey).toEqualTypeOf<string | null>();
    })
    .onUploadComplete(({ metadata, file }) => {
      // It travels as JSON.
      expectTypeOf(metadata).toEqualTypeOf<{ userId: string; at: string }>();
      expectTypeOf(file.fileHash).toEqualTypeOf<string>();
      return { uploadedBy: metadata.userId, when: new Date() };
    }),
  documents: f({ 'application/pdf': { maxFileSize: 1_500_000 }, text: {} }).onUploadComplete(() => {}),
  valibot: f({ blob: {} })
    .input(v.object({ tags: v.array(v.string()) }))
    .middleware(({ input }) => ({ tags: input.tags }))
    .onUploadComplete(({ metadata }) => metadata.tags.length),
  arktype: f({ video: { maxFileSize: '1.5 GiB' } }, { awaitServerData: false, path: 'films/{key}' })
    .input(type({ title: 'string' }))
    .onUploadComplete(() => null),
});
type Router = typeof router;

describe('the types of a router', () => {
  it('tell clients what to send and what they get', () => {
    expectTypeOf<inferRouteInput<Router, 'avatar'>>().toEqualTypeOf<{ crop: unknown }>();
    expectTypeOf<inferRouteOutput<Router, 'avatar'>>().toEqualTypeOf<{ uploadedBy: string; when: string }>();
    expectTypeOf<inferRouteKind<Router, 'documents'>>().toEqualTypeOf<'application/pdf' | 'text'>();
    expectTypeOf<inferRouteInput<Router, 'documents'>>().toEqualTypeOf<undefined>();
    expectTypeOf<inferRouteOutput<Router, 'documents'>>().toEqualTypeOf<null>();
    expectTypeOf<inferRouteInput<Router, 'valibot'>>().toEqualTypeOf<{ tags: string[] }>();
    expectTypeOf<inferRouteOutput<Router, 'valibot'>>().toEqualTypeOf<number>();
    expectTypeOf<inferRouteInput<Router, 'arktype'>>().toEqualTypeOf<{ title: string }>();
    expectTypeOf<inferRouteOutput<Router, 'arktype'>>().toEqualTypeOf<null>();
  });

  it('refuse what cannot be', () => {
    // @ts-expect-error: there is no such unit
    expect(() => f({ image: { maxFileSize: '4XB' } })).toThrow(/no size of a file/);
    // @ts-expect-error: there is no such kind of file
    expect(() => f({ pictures: {} })).toThrow(/no kind of file/);
    // @ts-expect-error: text has no width
    f({ text: { maxWidth: 5 } });
    // @ts-expect-error: a count is a number
    expect(() => f({ image: { maxFileCount: 'many' } })).toThrow(/whole number/);
    expect(() => f({})).toThrow(/at least one kind/);
    expect(() => f({ image: { minFileCount: 3, maxFileCount: 2 } })).toThrow(/minFileCount is more than maxFileCount/);
  });

  it('say in words when a step comes twice or too late', () => {
    const schema = z.object({});
    const typed = f({ image: {} }).input(schema);
    // @ts-expect-error: 'input was given before'
    typed.input(schema);
    const guarded = typed.middleware(() => ({}));
    // @ts-expect-error: 'input must come before middleware, which receives it'
    guarded.input(schema);
    // @ts-expect-error: 'middleware was given before'
    guarded.middleware(() => ({}));
    const watched = guarded.onUploadError(() => {});
    // @ts-expect-error: 'onUploadError was given before'
    watched.onUploadError(() => {});
    // @ts-expect-error: metadata is an object
    f({ image: {} }).middleware(() => 'user');
    // @ts-expect-error: no schema of the Standard Schema specification
    f({ image: {} }).input({ parse: () => 1 });
    // @ts-expect-error: a route ends with onUploadComplete
    createUploadRouter({ unfinished: f({ image: {} }) });
    expectTypeOf<Parameters<typeof typed.input>[0]>().toEqualTypeOf<{
      readonly 'this step is misplaced': 'input was given before';
    }>();
  });
});
