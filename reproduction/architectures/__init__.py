"""A hundred architectures: does what the paper reads off nine networks hold for timm's?"""
