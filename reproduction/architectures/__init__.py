"""A hundred architectures: is what the paper reads off nine networks so for timm's designs at large?"""
