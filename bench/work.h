/* work.h: what a training step and a decode have to do, counted from a model's own ops, and the
 * least time that can take on one thread. Include it after race.h.
 *
 * A floor is the products at the ceiling plus the bytes at the bandwidth of where they lie. A step
 * multiplies forward and for dW in every layer, and for dx in all but the first; the encoder works
 * once an image, the decoder once a draw; and Adam reads and writes w, m and v once, 24 bytes a
 * parameter. A decode reads the decoder's weights and z once and writes x. What stays out of a
 * floor: activations, losses, random numbers. Two threads may halve it at best. */
#ifndef WORK_H
#define WORK_H

typedef struct work {
    double image, draw;   /* multiply-adds of a step for each image, and for each draw of z */
    double first;         /* those of `image` in the first layer, which zeros in x could save */
    double decode;        /* multiply-adds of decoding one z */
    size_t parameters, decoder; /* floats */
    const float *weights; /* the decoder's, packed */
    size_t in, latent, samples;
} work;

RACE_FN work work_of(vae *m) {
    work w = {0};
    vae_info info;
    size_t i, n;
    vae_get_info(m, &info);
    w.parameters = info.parameters, w.in = info.input_dim, w.latent = info.latent;
    w.samples = (size_t)m->desc.samples;
    for (n = 0; n < 2; n++) {
        const vae__net *net = n ? &m->dec : &m->enc;
        for (i = 0; i < net->count; i++) {
            const vae__op *op = &m->ops[net->first + i];
            const vae__slot *weight = &m->tensors[op->tensor];
            const size_t in = op->in.h * op->in.w, out = op->out.h * op->out.w;
            double products = 0;
            int t;
            for (t = 0; t < op->tensor_count; t++) {
                /* a weight, unless of a dense layer, is used at each pixel of the smaller image */
                const int dense = weight[t].rank == 2 && weight[t].shape[0] == op->in.dim;
                if (weight[t].rank > 1)
                    products += (double)weight[t].count * (double)(dense ? 1 : in < out ? in : out);
                if (n) w.decoder += weight[t].count;
            }
            if (n) {
                if (!w.weights) w.weights = m->w + op->weights;
                w.decode += products, w.draw += 3 * products;
            } else {
                w.image += products * (i ? 3 : 2);
                if (!i && !op->kh) w.first = 2 * products;
            }
        }
    }
    return w;
}

/* Operations: two for each multiply-add. */
RACE_FN double step_flop(const work *w, size_t rows) {
    return 2 * (double)rows * (w->image + (double)w->samples * w->draw);
}
RACE_FN double decode_flop(const work *w, size_t rows) { return 2 * (double)rows * w->decode; }

/* Seconds; 0 where the ceiling is not known. */
RACE_FN double step_floor(const work *w, size_t rows, vae_isa isa) {
    if (!ceiling[isa]) return 0;
    return step_flop(w, rows) / ceiling[isa] +
           24.0 * (double)w->parameters / bandwidth(12 * w->parameters);
}
RACE_FN double decode_floor(const work *w, size_t rows, vae_isa isa) {
    const size_t bytes = 4 * (w->decoder + rows * (w->latent + w->in));
    if (!ceiling[isa]) return 0;
    return decode_flop(w, rows) / ceiling[isa] + (double)bytes / bandwidth(bytes);
}

#endif /* WORK_H */
