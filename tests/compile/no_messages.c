/* VAE_NO_MESSAGES: a report says what vae_status_text does. */
#define VAE_NO_MESSAGES
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    vae_desc desc;
    vae_report report;
    vae *model;
    memset(&desc, 0, sizeof desc);
    desc.input = "12", desc.encoder = "dense 9 tahn";
    if (vae_create(&desc, &model, &report) != VAE_ERR_SYNTAX || report.status != VAE_ERR_SYNTAX ||
        strcmp(report.text, vae_status_text(VAE_ERR_SYNTAX)))
        return loop_fail("report", report.text);
    return loop();
}
